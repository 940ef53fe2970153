import { planRollback, rollBack } from '../experiments/index.js';
import { loadVersion } from '../serving/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';
import { cancellation } from './in-activity.js';

type RollbackActivities = Pick<Activities, 'planRollback' | 'rollbackRoute'>;

/** Back to an earlier version, loaded again where that is needed. */
export function rollbackActivities({ db, store, secrets }: ActivityDeps): RollbackActivities {
  return {
    planRollback: (input) => planRollback(db, input),
    rollbackRoute: ({ asOf, ...input }) =>
      rollBack(
        { db, loadVersion: (model, version) => loadVersion(db, store, secrets, { model, version, ...cancellation() }) },
        { ...input, asOf: new Date(asOf) },
      ),
  };
}
