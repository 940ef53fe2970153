import { rotateKey } from '../access/index.js';
import { UnderstudyError } from '../errors.js';
import { duration } from '../policy/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** Replaces a key by a successor with the same rights; the old one works until the overlap ends. */
export async function keyRotate(id: string, options: { overlap: string; json?: boolean }): Promise<void> {
  const overlap = duration.safeParse(options.overlap);
  if (!overlap.success || overlap.data > 366 * 86_400_000) {
    throw new UnderstudyError('invalid_option', {
      option: 'overlap',
      detail: 'must be a number with a unit, such as "24h", "30m" or "0s", up to 366d',
    });
  }
  const rotated = await withDb((db) => rotateKey(db, id, overlap.data));
  const { key, replaces, endsAt } = rotated;
  if (!options.json) process.stderr.write(`the old key works until ${endsAt.toISOString()}\n`);
  show(
    options.json ?? false,
    { id: rotated.id, key, replaces: { id: replaces, expires_at: endsAt.toISOString() } },
    () => key,
  );
}
