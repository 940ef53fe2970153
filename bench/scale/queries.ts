import { collect } from '../../src/curation/index.js';
import type { Db } from '../../src/db/index.js';
import { judgeExperiment, readArms, readLiveExperiments } from '../../src/experiments/index.js';
import { dropMonth, monthOf } from '../../src/housekeeping/index.js';
import { median, percentile } from '../harness/index.js';
import { DAY } from './prepare.js';
import type { LiveExperiment } from './traffic.js';

const LOOK_UPS = 200;

/** What reads these tables, by the functions that do; the last one drops a month. */
export async function measureQueries(db: Db, live: LiveExperiment, now: number): Promise<Record<string, number>> {
  const { rows: some } = await db.pool.query<{ id: string; subject: string }>(
    'SELECT id, subject FROM interactions TABLESAMPLE SYSTEM (1) LIMIT $1',
    [LOOK_UPS],
  );
  let turn = 0;
  const another = () => some[turn++ % some.length]!;
  const lookUp = (sql: string, field: 'id' | 'subject') =>
    times(LOOK_UPS, () => db.pool.query(sql, [another()[field]]));
  const byId = await lookUp('SELECT digest FROM interactions WHERE id = $1', 'id');
  const bySubject = await lookUp('SELECT id FROM interactions WHERE subject = $1', 'subject');
  const feedbackOf = await lookUp('SELECT id FROM feedback WHERE interaction_id = $1', 'id');

  const [experiment] = await readLiveExperiments(db);
  const watch = await times(5, () => judgeExperiment(db, experiment!, new Date()));
  const cut = { experimentId: live.id, secondArm: 'challenger', feedbackWindowMs: DAY / 4, minRating: 0.75 } as const;
  const look = await times(5, () => readArms(db, { ...cut, asOf: new Date() }));

  const cycle = await db.prisma.cycle.findFirstOrThrow({ where: { model: 'support' } });
  let considered = 0;
  const [collecting] = await times(1, async () => {
    ({ considered } = await collect(db, { cycleId: cycle.id, asOf: new Date(now) }));
  });
  const month = monthOf(new Date(now), -2);
  const [dropping] = await times(1, () => dropMonth(db, { table: 'interactions', month, force: true }));
  return {
    by_id_p50_ms: median(byId),
    by_id_p99_ms: percentile(byId, 0.99),
    by_subject_p50_ms: median(bySubject),
    by_subject_p99_ms: percentile(bySubject, 0.99),
    feedback_of_interaction_p99_ms: percentile(feedbackOf, 0.99),
    watch_pass_ms: median(watch),
    look_ms: median(look),
    collect_rows: considered,
    collect_s: collecting! / 1_000,
    drop_month_ms: dropping!,
  };
}

async function times(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await work();
    took.push(performance.now() - start);
  }
  return took;
}
