import { closeCycle, openCycle, readCycle, recordPhase } from '../cycles/index.js';
import { planFromTraffic } from '../experiments/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';

type CycleActivities = Pick<Activities, 'openCycle' | 'recordPhase' | 'closeCycle'>;

/** Lease, phases and end of a cycle. */
export function cycleActivities({ db }: ActivityDeps): CycleActivities {
  return {
    async openCycle({ asOf, ...input }) {
      const at = new Date(asOf);
      const opening = await openCycle(db, { ...input, asOf: at });
      if (!opening.opened) return opening;
      const warning = await warningOf(db, opening.cycleId, at);
      return { ...opening, ...(warning !== null && { warning }) };
    },
    recordPhase: (input) => recordPhase(db, input),
    closeCycle: ({ asOf, ...input }) => closeCycle(db, { ...input, asOf: new Date(asOf) }),
  };
}

/** What the policy's experiment lacks at the present traffic. A cycle does not fail for want of a forecast. */
async function warningOf(db: ActivityDeps['db'], cycleId: string, asOf: Date): Promise<string | null> {
  try {
    const { policy } = await readCycle(db, cycleId);
    // A bandit has no power to run out of.
    return policy.experiment.mode === 'bandit' ? null : (await planFromTraffic(db, policy, asOf)).warning;
  } catch {
    return null;
  }
}
