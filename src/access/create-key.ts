import { randomUUID } from 'node:crypto';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { BudgetLimits } from './budget.js';
import { hashKey, makeKey, prefixOf } from './key.js';
import { checkLimits } from './key-limits.js';
import { SCOPES } from './scopes.js';

export interface NewKey extends Partial<BudgetLimits> {
  /** What it is for; shown in lists and as the default actor of what is done with it. */
  name: string;
  /** At least one of `ingest`, `serve`, `read`, `run`, `approve`, `operate`, `admin`. */
  scopes: readonly string[];
  /** Valid for this model only; null for all. */
  model?: string | null;
}

/**
 * Makes a key and stores its hash. `key` is in no other place: it cannot be shown again.
 * Throws `invalid_option` (scopes, name, limits) and `unknown_model`.
 */
export async function createKey(
  db: Pick<Db, 'prisma'>,
  { name, scopes, model = null, ...limits }: NewKey,
): Promise<{ id: string; key: string }> {
  const unknown = scopes.filter((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (scopes.length === 0 || unknown.length > 0) {
    const found = unknown.length > 0 ? `; unknown: ${unknown.join(', ')}` : '';
    throw new UnderstudyError('invalid_option', {
      option: 'scope',
      detail: `choose from ${SCOPES.join(', ')}${found}`,
    });
  }
  if (name.trim() === '' || name.length > 200) {
    throw new UnderstudyError('invalid_option', { option: 'name', detail: 'must have 1 to 200 characters' });
  }
  const { requestsPerMinute, tokensPerDay } = checkLimits(limits);
  if (model !== null && (await db.prisma.model.findUnique({ where: { name: model } })) === null) {
    throw new UnderstudyError('unknown_model', { model });
  }
  const key = makeKey();
  const id = randomUUID();
  await db.prisma.key.create({
    data: {
      id,
      family: id,
      name,
      ...secretColumns(key),
      scopes: [...new Set(scopes)],
      model,
      requestsPerMinute,
      tokensPerDay: tokensPerDay === null ? null : BigInt(tokensPerDay),
    },
  });
  return { id, key };
}

/** What is stored of a key itself. */
export function secretColumns(key: string) {
  return { hash: new Uint8Array(Buffer.from(hashKey(key), 'base64')), prefix: prefixOf(key) };
}
