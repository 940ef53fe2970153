import {
  type CutRequest,
  foldLiveExperiments,
  readArms,
  readLiveExperiments,
  recountArms,
  takeLook,
} from '../../src/experiments/index.js';
import { type Bench, interleave, median, medians, startPostgres } from '../harness/index.js';
import { arrive } from '../live/arrive.js';
import { loadExperiments } from '../live/load-experiments.js';
import { HOUR, startLiveExperiment } from '../live/start-experiments.js';

const INTERACTIONS = 10_000_000;
const EACH = 10;
/** What 10,000,000 interactions in 100 hours are in the ten seconds between two passes of the watch loop. */
const ARRIVE = 280;

export const bench: Bench = {
  summary: 'one look at an experiment with 10,000,000 interactions of 1,000,000 subjects',
  async run(context) {
    const { runs, say, show } = context;
    const interactions = context.quick ? INTERACTIONS / 200 : INTERACTIONS;
    const postgres = await startPostgres(context);
    const { db, drop } = await postgres.freshDatabase();
    const now = new Date();
    const live = await startLiveExperiment(db, 'bench', now);
    const start = performance.now();
    const seconds = () => (performance.now() - start) / 1_000;
    await loadExperiments(db, {
      experiments: [live],
      each: interactions,
      subjects: interactions / EACH,
      until: now,
      show,
    });
    const load_s = seconds();
    say(`${interactions.toLocaleString('en')} interactions made in ${load_s.toFixed(0)} s`);
    const experiments = await readLiveExperiments(db);
    const upToDate = async () => {
      for (;;) {
        await foldLiveExperiments(db, experiments, new Date());
        const { rows } = await db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM outcome_changes');
        if (rows[0]!.n === 0) return;
        show(`${rows[0]!.n.toLocaleString('en')} subjects to be counted`);
      }
    };
    await upToDate();
    const fold_s = seconds() - load_s;
    say(`sums of ${(interactions / EACH).toLocaleString('en')} subjects made in ${fold_s.toFixed(0)} s`);
    show('VACUUM ANALYZE');
    await db.pool.query('VACUUM ANALYZE');

    const cut = (asOf: Date): CutRequest => ({
      ...{ experimentId: live.id, secondArm: 'challenger', asOf, feedbackWindowMs: 6 * HOUR, minRating: 0.75 },
    });
    const samples = await interleave(runs, {
      async understudy(run) {
        // The watch loop was here up to ten seconds ago.
        await upToDate();
        await arrive(db, [live], ARRIVE);
        const asOf = new Date();
        const look = await timed(() => takeLook(db, { experimentId: live.id, k: run + 1, asOf, isLast: false }));
        const sums = await timed(() => readArms(db, cut(asOf)));
        if (sums.result.from !== 'sums') throw new Error('the look was not read from sums');
        return { ms: look.ms, sums_ms: sums.ms };
      },
      async 'full-scan'() {
        const asOf = new Date();
        const scan = await timed(() => recountArms(db, cut(asOf)));
        const sums = await readArms(db, cut(asOf));
        if (sums.digest !== scan.result.digest) throw new Error('sums and rows disagree');
        return { ms: scan.ms };
      },
    });
    const ours = medians(samples.understudy);
    const scan = median(samples['full-scan'].map(({ ms }) => ms!));
    await drop();
    return {
      figures: { ...ours, interactions, fold_subjects_per_s: interactions / EACH / fold_s, load_s },
      ratios: { 'full-scan': scan / ours.ms! },
      peers: {
        'full-scan': { version: `Postgres ${postgres.version}, the same cut from rows in one statement`, figure: scan },
      },
      runs,
      samples,
    };
  },
};

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
}
