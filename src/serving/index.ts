export { askChat, type ChatEndpoint, type ChatQuestion } from './ask-chat.js';
export { holdVersion, holdVersionIfFree } from './hold-version.js';
export { loadVersion } from './load-version.js';
export { type Reconciliation, reconcile } from './reconcile.js';
export { type ReconcilerOptions, startReconciler } from './reconciler.js';
export { reportTroubles } from './report-troubles.js';
export { unloadVersion } from './unload-version.js';
export { assertServable, endpointsOf, readVersion, type Secrets, type VersionRow } from './version-facts.js';
