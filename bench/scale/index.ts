import type { Db } from '../../src/db/index.js';
import { type Bench, interleave, median, rounded, startPostgres } from '../harness/index.js';
import { fill } from './fill.js';
import { insertRate } from './insert-rate.js';
import { DAY, DAYS, prepare } from './prepare.js';
import { measureQueries } from './queries.js';
import { measureSizes } from './sizes.js';

const ROWS = 1_000_000;
/** Into the full tables and into empty ones, in turn: what a machine does meanwhile meets both alike. */
const PROBE = 20_000;

/** How the tables behave that hold everything. It has no peer: its figures are for docs/scale.md. */
export const bench: Bench = {
  summary: 'insert rate, bytes a row and the usual queries on 1,000,000 interactions of 90 days',
  async run(context) {
    const { runs, say, show } = context;
    const count = context.quick ? ROWS / 100 : ROWS;
    const postgres = await startPostgres(context);
    const [full, empty] = [await postgres.freshDatabase(), await postgres.freshDatabase()];
    const now = Date.now();
    const span = { from: now - DAYS * DAY, to: now };
    const live = await prepare(full.db, now);
    await prepare(empty.db, now);
    const start = performance.now();
    await fill(full.db, { count, span, live, show });
    say(
      `${count.toLocaleString('en')} interactions and their feedback made in ${Math.round((performance.now() - start) / 1_000)} s`,
    );
    show('VACUUM ANALYZE');
    await full.db.pool.query('VACUUM ANALYZE');
    const figures: Record<string, number> = { rows: count, ...(await measureSizes(full.db)) };
    show('inserts');
    const probe = (db: Db) => async (run: number) => ({
      rows_per_s: await insertRate(db, run * PROBE, PROBE, span),
    });
    const samples = await interleave(runs, { full: probe(full.db), empty: probe(empty.db) });
    for (const name of ['full', 'empty'] as const) {
      figures[`insert_${name}_rows_per_s`] = median(samples[name].map(({ rows_per_s }) => rows_per_s!));
    }
    show('queries');
    Object.assign(figures, await measureQueries(full.db, live, now));
    await Promise.all([full.drop(), empty.drop()]);
    const shown = Object.entries(figures).map(([name, value]) => [name, rounded(value)] as const);
    return { figures: Object.fromEntries(shown), ratios: {}, peers: {}, runs, samples };
  },
};
