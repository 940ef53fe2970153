import { judgeCut, readLiveExperiments, recountArms } from '../../src/experiments/index.js';
import { startWatchLoop } from '../../src/monitoring/index.js';
import { type Bench, interleave, median, medians, startPostgres } from '../harness/index.js';
import { arrive } from '../live/arrive.js';
import { loadExperiments } from '../live/load-experiments.js';
import { type LiveExperiment, startLiveExperiment } from '../live/start-experiments.js';

const EXPERIMENTS = 1_000;
/** Of an experiment, by a tenth as many subjects. */
const EACH = 1_000;
/** What 1,000,000 interactions in 100 hours are in the ten seconds between two passes, and forty times as many. */
const ARRIVE = 28;
const BUSY = 1_000;
const quiet = { info() {}, warn() {}, error: (facts: object) => console.error(facts) };

export const bench: Bench = {
  summary: 'one pass of the watch loop over 1,000 running experiments',
  async run(context) {
    const { runs, say, show } = context;
    const count = context.quick ? 20 : EXPERIMENTS;
    const postgres = await startPostgres(context);
    const { db, drop } = await postgres.freshDatabase();
    const now = new Date();
    const live: LiveExperiment[] = [];
    for (let n = 0; n < count; n++) {
      live.push(await startLiveExperiment(db, `bench-${n}`, now));
      show(`experiments: ${n + 1} of ${count}`);
    }
    await loadExperiments(db, { experiments: live, each: EACH, subjects: EACH / 10, until: now, show });
    say(`${count} experiments with ${(count * EACH).toLocaleString('en')} interactions made`);
    const loop = startWatchLoop({ db, intervalMs: 3_600_000, tellCycle: async () => {}, logger: quiet });
    const pass = async () => {
      const start = performance.now();
      const { judged, failed } = await loop.pass();
      const ms = performance.now() - start;
      const stopped = judged.filter((one) => one.stopped !== null);
      if (judged.length !== count || failed.length > 0 || stopped.length > 0)
        throw new Error('not all were judged and left');
      return ms;
    };
    const upToDate = async () => {
      for (;;) {
        await pass();
        const { rows } = await db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM outcome_changes');
        if (rows[0]!.n === 0) return;
        show(`${rows[0]!.n.toLocaleString('en')} subjects to be counted`);
      }
    };
    await upToDate();
    await db.pool.query('VACUUM ANALYZE');
    const samples = await interleave(runs, {
      async understudy() {
        await upToDate();
        await arrive(db, live, ARRIVE);
        const ms = await pass();
        const idle_ms = await pass();
        await arrive(db, live, BUSY);
        return { ms, idle_ms, busy_ms: await pass() };
      },
      /** What the pass was: every experiment read and judged by itself, from its rows. */
      async 'one-query-each'() {
        const start = performance.now();
        for (const experiment of await readLiveExperiments(db)) {
          const asOf = new Date();
          const request = { experimentId: experiment.id, secondArm: 'challenger', asOf, feedbackWindowMs: 0 } as const;
          judgeCut(experiment, await recountArms(db, { ...request, minRating: experiment.settings.min_rating }), asOf);
        }
        return { ms: performance.now() - start };
      },
    });
    await loop.stop();
    const ours = medians(samples.understudy);
    const each = median(samples['one-query-each'].map(({ ms }) => ms!));
    await drop();
    return {
      figures: { ...ours, experiments: count, interactions: count * EACH },
      ratios: { 'one-query-each': each / ours.ms! },
      peers: {
        'one-query-each': {
          version: `Postgres ${postgres.version}, each experiment from rows in a statement of its own`,
          figure: each,
        },
      },
      runs,
      samples,
    };
  },
};
