export { type Authenticator, createAuthenticator, type Principal } from './authenticator.js';
export { createKey, type NewKey } from './create-key.js';
export { maySee, requireScope } from './require.js';
export { SCOPES, type Scope } from './scopes.js';
