import type pg from 'pg';
import { UnderstudyError } from '../errors.js';

/** Of the models named, those that exist and that `only` lets see; the others are to be answered as unknown. */
export async function knownModels(
  db: { pool: pg.Pool },
  named: Iterable<string>,
  only: string | null,
): Promise<ReadonlySet<string>> {
  const asked = [...new Set(named)].filter((name) => only === null || name === only);
  if (asked.length === 0) return new Set();
  const { rows } = await db.pool.query<{ name: string }>('SELECT name FROM models WHERE name = ANY($1)', [asked]);
  return new Set(rows.map(({ name }) => name));
}

export function unknownModel(model: string): string {
  return new UnderstudyError('unknown_model', { model }).message;
}
