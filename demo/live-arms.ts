import type { Db } from '../src/db/index.js';
import { readArms, readExperiment } from '../src/experiments/index.js';
import { twoProportionZ } from '../src/stats/index.js';
import type { CycleStatus } from '../src/temporal/index.js';
import type { DemoSnapshot } from './snapshot.js';

/** The arms of the live A/B test so far, counted as a look would count them now; null outside of one. */
export async function liveArms(db: Db, status: CycleStatus): Promise<DemoSnapshot['experiment']> {
  if (status.experiment === null) return null;
  const experiment = await readExperiment(db, status.experiment.id);
  const { champion, second } = await readArms(db, {
    experimentId: experiment.id,
    secondArm: 'challenger',
    asOf: experiment.endedAt ?? new Date(),
    feedbackWindowMs: experiment.settings.experiment.feedback_window,
    minRating: experiment.settings.min_rating,
  });
  const test = champion.n > 0 && second.n > 0 ? twoProportionZ(champion, second) : null;
  return {
    champion: { version: experiment.champion, n: champion.n, x: champion.x },
    challenger: { version: experiment.challenger, n: second.n, x: second.x },
    z: test?.tested ? test.z : null,
  };
}
