import { readRoute } from '../../src/routing/index.js';
import type { CycleStack } from '../support/cycle-stack.js';
import type { StackModel } from './stack-model.js';

/** What a cycle has left in the world, in one object to compare with what should be there. */
export async function aftermath({ db }: Pick<CycleStack, 'db'>, { name: model, trainer, vllm }: StackModel) {
  const [{ champion, previous, challenger, experimentId }, changes, cycles, versions, datasets, live] =
    await Promise.all([
      readRoute(db, model),
      db.prisma.routeChange.findMany({ where: { model }, orderBy: { epoch: 'asc' } }),
      db.prisma.cycle.findMany({ where: { model }, orderBy: { startedAt: 'asc' } }),
      db.prisma.version.findMany({ where: { model }, orderBy: { version: 'asc' } }),
      db.prisma.dataset.findMany({ where: { model }, orderBy: { createdAt: 'asc' } }),
      db.prisma.experiment.count({ where: { model, endedAt: null } }),
    ]);
  return {
    route: { champion, previous, challenger, experimentId },
    moves: changes.map(({ action, actor }) => `${action} by ${actor}`),
    cycles: cycles.map(({ outcome, reason }) => `${outcome}: ${reason?.split(':')[0]}`),
    leases: cycles.filter(({ endedAt }) => endedAt === null).length,
    liveExperiments: live,
    versions: versions.map(({ state }) => state),
    datasets: datasets.map(({ state }) => state),
    jobs: trainer.jobs.map((job) => trainer.statusOf(job)),
    adapters: [...vllm.adapters.keys()],
  };
}
