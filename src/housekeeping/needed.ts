import type { Db } from '../db/index.js';
import { formatDuration, parsePolicy } from '../policy/index.js';
import type { Month } from './month.js';

/**
 * Why a month's rows are still needed, one sentence each; none when nothing needs them: a live experiment reads what was
 * asked since its start, a cycle that has not frozen its dataset looks back from its start, and the next cycle of a model
 * looks back from now.
 */
export async function whyNeeded(db: Pick<Db, 'prisma'>, month: Month, now: Date): Promise<string[]> {
  const reasons: string[] = [];
  const experiments = await db.prisma.experiment.findMany({
    where: { endedAt: null, startedAt: { lt: month.to } },
    orderBy: { startedAt: 'asc' },
  });
  for (const { model, id, startedAt } of experiments) {
    reasons.push(`experiment ${id} of "${model}" runs since ${startedAt.toISOString()}`);
  }
  const cycles = await db.prisma.cycle.findMany({ where: { endedAt: null }, orderBy: { startedAt: 'asc' } });
  const datasets = await db.prisma.dataset.findMany({ where: { cycleId: { in: cycles.map(({ id }) => id) } } });
  const frozen = new Set(datasets.flatMap(({ cycleId, state }) => (state === 'frozen' ? [cycleId] : [])));
  for (const { id, model, startedAt, policy } of cycles) {
    if (frozen.has(id)) continue;
    const { lookback } = parsePolicy(policy).curation;
    if (startedAt.getTime() - lookback < month.to.getTime()) {
      reasons.push(
        `the running cycle of "${model}" looks back ${formatDuration(lookback)} and has not frozen its dataset`,
      );
    }
  }
  const models = await db.prisma.model.findMany({ orderBy: { name: 'asc' } });
  for (const { name, policy } of models) {
    const { lookback } = parsePolicy(policy).curation;
    if (now.getTime() - lookback < month.to.getTime()) {
      reasons.push(`the next cycle of "${name}" would look back ${formatDuration(lookback)}`);
    }
  }
  return reasons;
}
