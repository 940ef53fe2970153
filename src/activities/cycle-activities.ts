import { closeCycle, openCycle, recordPhase } from '../cycles/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';

type CycleActivities = Pick<Activities, 'openCycle' | 'recordPhase' | 'closeCycle'>;

/** Lease, phases and end of a cycle. */
export function cycleActivities({ db }: ActivityDeps): CycleActivities {
  return {
    openCycle: ({ asOf, ...input }) => openCycle(db, { ...input, asOf: new Date(asOf) }),
    recordPhase: (input) => recordPhase(db, input),
    closeCycle: ({ asOf, ...input }) => closeCycle(db, { ...input, asOf: new Date(asOf) }),
  };
}
