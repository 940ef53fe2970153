export { type AppliedModel, applyModel } from './apply-model.js';
export { compareVersions, type LiveOutcomes, type VersionComparison } from './compare-versions.js';
export type { PolicyChange } from './policy-diff.js';
export { type RegisteredVersion, registerVersion } from './register-version.js';
export { retireVersion } from './retire-version.js';
export { type ModelView, showModel, type VersionRole } from './show-model.js';
export { listVersions, showVersion, type VersionRecord } from './show-version.js';
export type { ChampionMove, EvaluationFacts, ExperimentFacts } from './version-evidence.js';
export type { VersionSummary } from './version-row.js';
