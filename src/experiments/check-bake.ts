import type { Db } from '../db/index.js';
import { changeThatLeft } from '../routing/index.js';
import { readExperiment } from './experiment.js';
import { judgeExperiment } from './judge-experiment.js';
import { foundChange, type RouteChangedByOther } from './route-move.js';

/** Where a bake stands. */
export interface BakeFacts {
  /** The promotion is to be undone, or was undone by the watch loop. */
  rollback: boolean;
  champion: { n: number; x: number };
  holdback: { n: number; x: number };
  /** At most 200 characters. */
  summary: string;
  /** The route does not serve this bake any more; by whom it was moved. */
  routeChanged?: RouteChangedByOther;
}

/** One look at a bake: the new champion against the holdback, on the feedback received by `asOf`. Moves nothing. */
export async function checkBake(db: Db, input: { experimentId: string; asOf: Date }): Promise<BakeFacts> {
  const bake = await readExperiment(db, input.experimentId);
  const { champion, second, stop, summary } = await judgeExperiment(db, bake, input.asOf);
  const counts = { champion: { n: champion.n, x: champion.x }, holdback: { n: second.n, x: second.x } };
  const change = await changeThatLeft(db, bake.model, bake.id);
  if (change === null) return { rollback: stop, ...counts, summary };
  // What ended it stands, even if feedback that came later would say something else.
  return {
    rollback: bake.decision === 'rollback' && bake.reason?.startsWith('bake_harm') === true,
    ...counts,
    summary: `The bake has ended (${change.action} by ${change.actor}): ${change.reason}`.slice(0, 200),
    routeChanged: foundChange(change),
  };
}
