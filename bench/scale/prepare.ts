import { randomUUID } from 'node:crypto';
import type { Db } from '../../src/db/index.js';
import { digestOf, parsePolicy } from '../../src/policy/index.js';
import { applyBenchModel } from '../harness/index.js';
import type { LiveExperiment } from './traffic.js';

export const DAY = 86_400_000;
/** Of traffic in the tables, up to now. */
export const DAYS = 90;

/** Months, two models and, for the last three days, an experiment of one of them with a cycle of its own. */
export async function prepare(db: Db, now: number): Promise<LiveExperiment> {
  for (const table of ['interactions', 'feedback']) {
    await db.pool.query(
      `SELECT ensure_month_partition($1, day) FROM generate_series($2::timestamptz, $3::timestamptz, '1 day') day`,
      [table, new Date(now - DAYS * DAY), new Date(now)],
    );
  }
  for (const name of ['support', 'sales']) await applyBenchModel(db, name);
  const second = { version: 2, label: '1.1.0', kind: 'remote', state: 'candidate', servedAs: 'two' };
  await db.prisma.version.create({ data: { ...second, model: 'support', baseModel: 'bench-base', sandbox: true } });
  const { policy: document } = await db.prisma.model.findUniqueOrThrow({ where: { name: 'support' } });
  const policy = parsePolicy(document);
  const [cycleId, id] = [randomUUID(), randomUUID()];
  const startedAt = new Date(now - 3 * DAY);
  const shared = { model: 'support', policyDigest: digestOf(policy), sandbox: true, startedAt };
  const run = { workflowId: 'bench', runId: randomUUID(), originalRunId: randomUUID() };
  await db.prisma.cycle.create({
    data: { ...shared, ...run, id: cycleId, trigger: 'bench', phase: 'experimenting', policy: document as object },
  });
  const { experiment, promotion, curation } = policy;
  await db.prisma.experiment.create({
    data: {
      ...shared,
      ...{ id, cycleId, kind: 'ab', champion: 1, challenger: 2, share: 0.1, p0: 0.6, d0: 1, i0: 1 },
      settings: { experiment, promotion, min_rating: curation.min_rating } as object,
      minEndsAt: new Date(now + DAY),
      maxEndsAt: new Date(now + 2 * DAY),
    },
  });
  return { id, startedAt: startedAt.getTime(), share: 0.1 };
}
