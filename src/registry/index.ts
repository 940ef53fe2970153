export { type AppliedModel, applyModel } from './apply-model.js';
export type { PolicyChange } from './policy-diff.js';
export { type RegisteredVersion, registerVersion } from './register-version.js';
export { retireVersion } from './retire-version.js';
export { type ModelView, showModel, type VersionRole } from './show-model.js';
