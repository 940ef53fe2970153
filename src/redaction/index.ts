export { inTurns } from './in-turns.js';
export { noRedactions, type RedactionCounts, redact } from './redact.js';
export { redactJson } from './redact-json.js';
export { redactText } from './redact-text.js';
