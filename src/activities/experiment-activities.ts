import {
  checkBake,
  endBake,
  endExperiment,
  extendExperiment,
  promote,
  startExperiment,
  takeLook,
  undoRoute,
} from '../experiments/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';

type ExperimentActivities = Pick<
  Activities,
  | 'startExperiment'
  | 'takeLook'
  | 'extendExperiment'
  | 'endExperiment'
  | 'promote'
  | 'checkBake'
  | 'endBake'
  | 'undoRoute'
>;

/** Everything a cycle does to the route, and the looks it does it on. */
export function experimentActivities({ db }: ActivityDeps): ExperimentActivities {
  return {
    startExperiment: ({ asOf, ...input }) => startExperiment(db, { ...input, asOf: new Date(asOf) }),
    takeLook: ({ asOf, ...input }) => takeLook(db, { ...input, asOf: new Date(asOf) }),
    extendExperiment: ({ asOf, ...input }) => extendExperiment(db, { ...input, asOf: new Date(asOf) }),
    endExperiment: ({ asOf, ...input }) => endExperiment(db, { ...input, asOf: new Date(asOf) }),
    promote: ({ asOf, ...input }) => promote(db, { ...input, asOf: new Date(asOf) }),
    checkBake: ({ asOf, ...input }) => checkBake(db, { ...input, asOf: new Date(asOf) }),
    endBake: ({ asOf, ...input }) => endBake(db, { ...input, asOf: new Date(asOf) }),
    undoRoute: ({ asOf, ...input }) => undoRoute(db, { ...input, asOf: new Date(asOf) }),
  };
}
