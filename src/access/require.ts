import { UnderstudyError } from '../errors.js';
import type { Principal } from './authenticator.js';
import type { Scope } from './scopes.js';

/** Throws `forbidden`, naming the scope, unless the key has it. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.has(scope)) throw new UnderstudyError('forbidden', { scope });
}

/** Whether a key may see a model. One it may not see must be answered exactly like one that does not exist. */
export function maySee(principal: Pick<Principal, 'model'>, model: string): boolean {
  return principal.model === null || principal.model === model;
}
