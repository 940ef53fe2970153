import type pg from 'pg';
import { UnderstudyError } from '../errors.js';

/** A model that was there stays known this long: models come, and go only by hand. */
const FRESH_MS = 5_000;

/** Model → when it was last seen in Postgres, for each pool. */
const seen = new WeakMap<pg.Pool, Map<string, number>>();

/** Of the models named, those that exist and that `only` lets see; the others are to be answered as unknown. */
export async function knownModels(
  db: { pool: pg.Pool },
  named: Iterable<string>,
  only: string | null,
): Promise<ReadonlySet<string>> {
  const asked = [...new Set(named)].filter((name) => only === null || name === only);
  const known = seen.get(db.pool) ?? new Map<string, number>();
  seen.set(db.pool, known);
  const now = performance.now();
  const unsure = asked.filter((name) => now - (known.get(name) ?? Number.NEGATIVE_INFINITY) > FRESH_MS);
  if (unsure.length > 0) {
    // Only names that exist are remembered, so that nobody can fill the memory with others.
    const { rows } = await db.pool.query<{ name: string }>('SELECT name FROM models WHERE name = ANY($1)', [unsure]);
    for (const name of unsure) known.delete(name);
    for (const { name } of rows) known.set(name, now);
  }
  return new Set(asked.filter((name) => known.has(name)));
}

export function unknownModel(model: string): string {
  return new UnderstudyError('unknown_model', { model }).message;
}
