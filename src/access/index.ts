export { type Authenticator, createAuthenticator, type Principal } from './authenticator.js';
export { createKey, type NewKey } from './create-key.js';
export { createFeedbackTokens, type FeedbackClaim, type FeedbackTokens } from './feedback-token.js';
export { maySee, requireScope } from './require.js';
export { SCOPES, type Scope } from './scopes.js';
