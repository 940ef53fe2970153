export { type CapturePolicy, capturePolicySchema } from './capture-section.js';
export { canonicalJson, digestOf } from './digest.js';
export { duration, formatDuration } from './duration.js';
export { secretUrl } from './fields.js';
export { type FreezeWindow, freezePolicySchema, frozenUntil } from './freeze.js';
export { isShare, type MeasuredMetric, type Metric, POSITIVE_FEEDBACK, primaryOf } from './metrics.js';
export { modelName } from './model-name.js';
export { applyOverrides } from './overrides.js';
export { type Policy, type PolicyDocument, parsePolicy } from './policy.js';
