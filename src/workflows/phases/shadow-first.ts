import type { RegisteredVersion } from '../../activities/contract.js';
import * as activities from '../activities.js';
import { asOf, CYCLE_ACTOR, type Cycle } from '../cycle.js';
import { parkUntilDone } from '../parking.js';
import type { UndoList } from '../saga.js';
import { END_SHADOW } from '../undo-names.js';
import { waitUntil } from '../wait-until.js';
import type { Gate } from './evaluate.js';

/**
 * Where the policy asks for it, the candidate first answers copies of real requests, which nobody sees. One that fails too
 * many of them never answers people; where there were too few to tell, nothing is concluded about it.
 */
export async function shadowFirst(cycle: Cycle, { version }: RegisteredVersion, undo: UndoList): Promise<Gate> {
  if (cycle.plan.shadowFirst !== true) return { passed: true };
  await cycle.enter('shadowing');
  undo.add(END_SHADOW, () => activities.endShadow({ cycleId: cycle.id }));
  const since = asOf();
  const { until } = await parkUntilDone(cycle, 'shadowCandidate', () =>
    activities.shadowCandidate({ cycleId: cycle.id, version, asOf: asOf() }),
  );
  cycle.learn({ shadow: { until } });
  await waitUntil(Date.parse(until), () => false);
  const trial = await parkUntilDone(cycle, 'judgeShadow', () =>
    activities.judgeShadow({ cycleId: cycle.id, version, since, asOf: asOf() }),
  );
  undo.release(END_SHADOW);
  const { passed, enough, n, failed, limit } = trial;
  const summary = trial.summary.slice(0, 200);
  cycle.learn({ shadow: { until, passed, summary } });
  if (passed) return { passed };
  const ending = enough
    ? ({ outcome: 'rejected', reason: 'shadow' } as const)
    : ({ outcome: 'inconclusive', reason: 'not_enough_data' } as const);
  const evidence = { copies: n, failed, limit, summary };
  return {
    passed,
    verdict: { decision: 'keep', ...ending, actor: CYCLE_ACTOR, sentence: summary, served: true, evidence },
  };
}
