import type { ActivityDeps } from './activity-deps.js';
import { asFailure } from './as-failure.js';
import type { Activities } from './contract.js';
import { cycleActivities } from './cycle-activities.js';
import { datasetActivities } from './dataset-activities.js';
import { experimentActivities } from './experiment-activities.js';
import { rollbackActivities } from './rollback-activities.js';
import { servingActivities } from './serving-activities.js';
import { shadowActivities } from './shadow-activities.js';
import { trainingActivities } from './training-activities.js';

/** All activities on real stages. What a stage throws reaches Temporal as a failure whose type is a code of errors.ts. */
export function createActivities(deps: ActivityDeps): Activities {
  const activities: Activities = {
    ...cycleActivities(deps),
    ...datasetActivities(deps),
    ...trainingActivities(deps),
    ...servingActivities(deps),
    ...shadowActivities(deps),
    ...experimentActivities(deps),
    ...rollbackActivities(deps),
  };
  return withFailures(activities);
}

/** The same activities; what they throw becomes a failure that Temporal and the workflows understand. */
export function withFailures(activities: Activities): Activities {
  const guarded = Object.entries(activities).map(([name, run]) => [name, guard(run as Activity)]);
  return Object.fromEntries(guarded) as Activities;
}

type Activity = (input: unknown) => Promise<unknown>;

function guard(run: Activity): Activity {
  return async (input) => {
    try {
      return await run(input);
    } catch (error) {
      throw asFailure(error);
    }
  };
}
