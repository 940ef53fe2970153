export type { ActivityDeps } from './activity-deps.js';
export type { Activities } from './contract.js';
export { createActivities } from './create-activities.js';
