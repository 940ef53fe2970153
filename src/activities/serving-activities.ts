import { evaluate } from '../evaluation/index.js';
import { adoptVersion, registerVersion, retireVersion } from '../registry/index.js';
import { loadVersion, unloadVersion } from '../serving/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';
import { cancellation, heartbeat } from './in-activity.js';

type ServingActivities = Pick<
  Activities,
  'adoptVersion' | 'registerVersion' | 'retireVersion' | 'loadVersion' | 'unloadVersion' | 'evaluate'
>;

/** A candidate from its registration to the gate before the experiment. */
export function servingActivities({ db, store, secrets }: ActivityDeps): ServingActivities {
  return {
    adoptVersion: (input) => adoptVersion(db, input),
    registerVersion: (input) => registerVersion(db, input),
    retireVersion: ({ asOf, ...input }) => retireVersion(db, { ...input, asOf: new Date(asOf) }),
    loadVersion: (input) => loadVersion(db, store, secrets, { ...input, ...cancellation() }),
    unloadVersion: (input) => unloadVersion(db, store, secrets, { ...input, ...cancellation() }),
    evaluate: ({ asOf, ...input }) =>
      evaluate(db, store, secrets, {
        ...input,
        asOf: new Date(asOf),
        onAnswer: (answered) => heartbeat({ answered }),
        ...cancellation(),
      }),
  };
}
