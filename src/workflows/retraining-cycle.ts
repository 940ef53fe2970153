import type { RegisteredVersion } from '../activities/contract.js';
import type { CycleInput, CycleOutcome, LaunchOutcome } from '../temporal/workflow-types.js';
import type { Cycle } from './cycle.js';
import { parseCycleInput } from './input.js';
import { isCanonicalRun, launch } from './launcher.js';
import { openCycle } from './open-cycle.js';
import { adopt } from './phases/adopt.js';
import { approve } from './phases/approve.js';
import { bake } from './phases/bake.js';
import { alreadyRunning } from './phases/close.js';
import { collect } from './phases/collect.js';
import { curate } from './phases/curate.js';
import { evaluate } from './phases/evaluate.js';
import { experiment } from './phases/experiment.js';
import { load } from './phases/load.js';
import { promote } from './phases/promote.js';
import { register } from './phases/register.js';
import { retire } from './phases/retire.js';
import { shadowFirst } from './phases/shadow-first.js';
import { skip } from './phases/skip.js';
import { train } from './phases/train.js';
import { type UndoList, undoOnFailure } from './saga.js';

/**
 * One retraining cycle of one model, from its trigger to its outcome. Start it under any workflow id: only
 * `retraining-cycle-<model>` is the cycle, every other run starts that one.
 * @throws ApplicationFailure with a code of errors.ts as its type; whatever it had done is undone by then
 */
export async function retrainingCycle(given: CycleInput): Promise<CycleOutcome | LaunchOutcome> {
  const input = parseCycleInput(given);
  if (!isCanonicalRun(input.model)) return launch(input);
  const opening = await openCycle(input); // lease, frozen policy, messages, current details
  if (!opening.opened) return alreadyRunning(opening.cycle, opening.heldBy);
  const { cycle } = opening;
  return undoOnFailure(cycle, async (undo) => {
    if (input.candidate !== undefined) return prove(cycle, await adopt(cycle, input.candidate, undo), undo);
    const examples = await collect(cycle, undo);
    if (examples.tooFew) return skip(cycle, examples, undo);
    const dataset = await curate(cycle, examples);
    if (dataset.tooFew) return skip(cycle, dataset, undo);
    const adapter = await train(cycle, dataset, undo); // submit once, follow, park when it cannot go on
    return prove(cycle, await register(cycle, adapter, undo), undo);
  });
}

/** The same gate for every version, wherever it was made. */
async function prove(cycle: Cycle, candidate: RegisteredVersion, undo: UndoList): Promise<CycleOutcome> {
  await load(cycle, candidate, undo);
  const gate = await evaluate(cycle, candidate);
  if (!gate.passed) return retire(cycle, candidate, gate.verdict, undo);
  const unseen = await shadowFirst(cycle, candidate, undo); // where the policy asks for it, copies come before people
  if (!unseen.passed) return retire(cycle, candidate, unseen.verdict, undo);
  const verdict = await experiment(cycle, candidate, undo); // waits 48 h or more, looks, obeys messages
  if (verdict.decision !== 'promote') return retire(cycle, candidate, verdict, undo);
  const approval = await approve(cycle, verdict); // where the policy asks for it, people have the last word
  if (approval.decision !== 'promote') return retire(cycle, candidate, approval, undo);
  const promotion = await promote(cycle, approval); // not within a freeze window
  if (!promotion.promoted) return retire(cycle, candidate, promotion.verdict, undo);
  return bake(cycle, candidate, promotion, undo); // a holdback watches; it may still be undone
}
