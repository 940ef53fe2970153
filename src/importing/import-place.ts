import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Db } from '../db/index.js';
import { type Counts, noCounts } from './counts.js';
import { statOf } from './open-input.js';

const END = 65_536;
/** A place nobody came back to for so long is forgotten. */
const KEPT = '90 days';

/** Where an interrupted import goes on. It is kept in the database that has the rows: another one starts anew. */
export interface ImportPlace {
  counts: Counts;
  /** Remembers that everything up to `counts.lines` is dealt with. */
  save(counts: Counts): Promise<void>;
  /** The import is through. */
  forget(): Promise<void>;
}

/**
 * The place of a file, found again by its size, time of change and first and last 64 KB, and by how it is read.
 *
 * @param restart forget where an earlier import came to
 */
export async function findPlace(
  db: Pick<Db, 'pool'>,
  file: string,
  reading: Record<string, unknown>,
  restart: boolean,
): Promise<ImportPlace> {
  const key = await keyOf(file, reading);
  const forget = async () => {
    await db.pool.query(`DELETE FROM imports WHERE file = $1 OR updated_at < now() - interval '${KEPT}'`, [key]);
  };
  if (restart) await forget();
  const { rows } = await db.pool.query<{ lines: string; counts: Partial<Counts> }>(
    'SELECT lines, counts FROM imports WHERE file = $1',
    [key],
  );
  const counts = { ...noCounts(), ...rows[0]?.counts, lines: Number(rows[0]?.lines ?? 0) };
  return {
    counts,
    forget,
    async save(reached) {
      if (reached.lines === 0) return;
      await db.pool.query(
        `INSERT INTO imports (file, lines, counts) VALUES ($1, $2, $3)
         ON CONFLICT (file) DO UPDATE SET lines = excluded.lines, counts = excluded.counts, updated_at = now()`,
        [key, reached.lines, reached],
      );
    },
  };
}

async function keyOf(file: string, reading: Record<string, unknown>): Promise<Buffer> {
  const { size, mtimeMs } = await statOf(file);
  const hash = createHash('sha256').update(JSON.stringify({ size, mtimeMs, ...reading }));
  const handle = await open(file);
  try {
    for (const from of [0, Math.max(0, size - END)]) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(END), 0, END, from);
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
  return hash.digest();
}
