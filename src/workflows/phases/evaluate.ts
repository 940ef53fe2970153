import type { RegisteredVersion } from '../../activities/contract.js';
import * as activities from '../activities.js';
import { asOf, CYCLE_ACTOR, type Cycle } from '../cycle.js';
import { parkUntilDone } from '../parking.js';
import type { KeepVerdict } from '../verdict.js';

export type Gate = { passed: true } | { passed: false; verdict: KeepVerdict };

/** Asks champion and candidate what nobody was trained on. Who is worse than the margin allows never meets live traffic. */
export async function evaluate(cycle: Cycle, { version }: RegisteredVersion): Promise<Gate> {
  await cycle.enter('evaluating');
  const result = await parkUntilDone(cycle, 'evaluate', () =>
    activities.evaluate({ cycleId: cycle.id, champion: cycle.championBefore, candidate: version, asOf: asOf() }),
  );
  const { passed, summary, n, champion, challenger, lowerBound, margin } = result;
  cycle.learn({ gate: { passed, summary: summary.slice(0, 200) } });
  if (passed) return { passed: true };
  const evidence = { n, champion, challenger, lower_bound: lowerBound, margin };
  const by = { actor: CYCLE_ACTOR, sentence: summary.slice(0, 200), served: false, evidence };
  return { passed, verdict: { decision: 'keep', outcome: 'rejected', reason: 'evaluation', ...by } };
}
