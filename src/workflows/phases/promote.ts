import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { parkUnless } from '../parking.js';
import { requestIdOf } from '../request-id.js';
import { changedByOther, halted, type KeepVerdict, type PromoteVerdict, rolledBack } from '../verdict.js';
import { endExperiment } from './end-experiment.js';

export type Promotion =
  | { promoted: true; verdict: PromoteVerdict; bakeExperimentId: string; bakeEndsAt: string }
  | { promoted: false; verdict: KeepVerdict };

/**
 * Makes the candidate champion; the old champion stays as holdback. Somebody who moved the route meanwhile wins, and so does
 * a rollback while Postgres does not answer. Undone by the route's undo step, registered with the experiment.
 */
export async function promote(cycle: Cycle, verdict: PromoteVerdict): Promise<Promotion> {
  const { messages } = cycle;
  const { experimentId, epoch: expectedEpoch, actor, sentence: reason, forced } = verdict;
  messages.open('bake');
  await cycle.enter('promoting');
  const requestId = requestIdOf(cycle, 'promote', verdict.requestId);
  const moved = await parkUnless(
    cycle,
    'promote',
    () => messages.rollback !== null,
    () => activities.promote({ experimentId, expectedEpoch, actor, reason, forced, ...requestId, asOf: asOf() }),
  );
  if (moved === null || moved.routeChanged) {
    const halt = messages.haltOf(experimentId);
    const kept =
      halt !== null
        ? halted(halt)
        : messages.rollback !== null
          ? rolledBack(messages.rollback)
          : changedByOther(moved as Extract<typeof moved, { routeChanged: true }>, true);
    return { promoted: false, verdict: await endExperiment(cycle, experimentId, kept) };
  }
  const { bakeExperimentId, bakeEndsAt } = moved;
  messages.identify(bakeExperimentId, null);
  cycle.learn({ champion: cycle.status.candidate, bake: { id: bakeExperimentId, endsAt: bakeEndsAt, checks: [] } });
  return { promoted: true, verdict, bakeExperimentId, bakeEndsAt };
}
