export { openStateFile, type StateFile, type StateFolder } from './open-state-file.js';
export { stateOwner } from './state-owner.js';
