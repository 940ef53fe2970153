import { endShadow, judgeShadow, shadowCandidate } from '../shadow/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';

type ShadowActivities = Pick<Activities, 'shadowCandidate' | 'judgeShadow' | 'endShadow'>;

/** Copies for a candidate before it answers people. */
export function shadowActivities({ db }: ActivityDeps): ShadowActivities {
  return {
    shadowCandidate: ({ asOf, ...input }) => shadowCandidate(db, { ...input, asOf: new Date(asOf) }),
    judgeShadow: ({ since, cycleId, version }) => judgeShadow(db, { cycleId, version, since: new Date(since) }),
    endShadow: (input) => endShadow(db, input),
  };
}
