import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { parkUnless } from '../parking.js';
import { requestIdOf } from '../request-id.js';
import { changedByOther, type KeepVerdict, type PromoteVerdict } from '../verdict.js';
import { waitUntil } from '../wait-until.js';
import { endExperiment } from './end-experiment.js';
import { stopped } from './judge-look.js';

export type Promotion =
  | { promoted: true; verdict: PromoteVerdict; bakeExperimentId: string; bakeEndsAt: string }
  | { promoted: false; verdict: KeepVerdict };

/**
 * Makes the candidate champion; the old champion stays as holdback. In a freeze window it waits for the end. Somebody who
 * moved the route meanwhile wins, and so does a rollback while Postgres does not answer. Undone by the route's undo step,
 * registered with the experiment.
 */
export async function promote(cycle: Cycle, decided: PromoteVerdict): Promise<Promotion> {
  const { messages } = cycle;
  messages.open('bake');
  await cycle.enter('promoting');
  for (let verdict = decided; ; ) {
    const moved = await moveRoute(cycle, verdict);
    if (moved === null || moved.routeChanged) return notPromoted(cycle, verdict, moved);
    if (!('frozenUntil' in moved)) {
      const { bakeExperimentId, bakeEndsAt } = moved;
      messages.identify(bakeExperimentId, null);
      cycle.learn({ champion: cycle.status.candidate, bake: { id: bakeExperimentId, endsAt: bakeEndsAt, checks: [] } });
      return { promoted: true, verdict, bakeExperimentId, bakeEndsAt };
    }
    const thawed = await thaw(cycle, verdict, moved.frozenUntil);
    if (thawed === null) return notPromoted(cycle, verdict, null);
    verdict = thawed;
  }
}

/** Null: a message ended the wait for Postgres. */
function moveRoute(cycle: Cycle, verdict: PromoteVerdict) {
  const { experimentId, epoch: expectedEpoch, actor, sentence: reason, forced, despiteFreeze } = verdict;
  const how = { forced, ...(despiteFreeze && { despiteFreeze }), ...requestIdOf(cycle, 'promote', verdict.requestId) };
  return parkUnless(
    cycle,
    'promote',
    () => cycle.messages.rollback !== null,
    () => activities.promote({ experimentId, expectedEpoch, actor, reason, ...how, asOf: asOf() }),
  );
}

/**
 * Waits for the end of a freeze window, with both arms answering as before; whoever promotes with force ends the wait. Null
 * when the candidate was taken back meanwhile.
 */
async function thaw(cycle: Cycle, verdict: PromoteVerdict, frozenUntil: string): Promise<PromoteVerdict | null> {
  const { messages } = cycle;
  messages.open('experiment');
  messages.identify(verdict.experimentId, null);
  messages.decided(frozenUntil);
  cycle.learn({ frozenUntil });
  await waitUntil(Date.parse(frozenUntil), () => messages.pending);
  cycle.learn({ frozenUntil: null });
  if (messages.stopped) return null;
  const { promotion } = messages;
  messages.open('bake');
  if (promotion === null) return verdict;
  const { actor, reason, request_id, by } = promotion;
  const evidence = { ...verdict.evidence, freeze_overridden_by: by };
  const requestId = request_id === undefined ? {} : { requestId: request_id };
  const sentence = `${reason}; ${verdict.sentence}`.slice(0, 200);
  return { ...verdict, actor, sentence, ...requestId, despiteFreeze: true, evidence };
}

async function notPromoted(
  cycle: Cycle,
  { experimentId }: PromoteVerdict,
  moved: Parameters<typeof changedByOther>[0] | null,
): Promise<Promotion> {
  const kept = stopped(cycle, { experimentId }) ?? changedByOther(moved!, true);
  return { promoted: false, verdict: await endExperiment(cycle, experimentId, kept) };
}
