import type { Arm } from '../interactions/index.js';
import { isInSecondArm, type Route } from '../routing/index.js';

/** Who is to answer a request, and what the assignment was. Experiment, arm and assigned version come together. */
export interface Choice {
  version: number;
  experimentId: string | null;
  arm: Arm | null;
  assignedVersion: number | null;
}

/**
 * Chooses who answers, from the route and the subject alone. Without a subject or an experiment the champion answers and
 * there is no arm. On an expired route the champion answers and the arm is still the subject's.
 *
 * @param subject HMAC of the subject
 * @param secondArm what the second arm is called in this experiment
 */
export function chooseVersion(
  route: Route & { expired: boolean },
  subject: string | null,
  secondArm: 'challenger' | 'holdback',
): Choice {
  const { champion, challenger, share, experimentId } = route;
  if (subject === null || challenger === null || share === null || experimentId === null) {
    return { version: champion, experimentId: null, arm: null, assignedVersion: null };
  }
  const second = isInSecondArm(experimentId, subject, share);
  const assignedVersion = second ? challenger : champion;
  return {
    version: route.expired ? champion : assignedVersion,
    experimentId,
    arm: second ? secondArm : 'champion',
    assignedVersion,
  };
}
