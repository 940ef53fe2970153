import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import { UnderstudyError } from '../errors.js';
import { type ColumnRange, USAGE_COLUMNS } from '../formats/index.js';
import type { ReadRow } from './read-rows.js';

const GROUP = 200;

/** A database with a table `usage`, open for reading. */
export interface UsageDatabase {
  total: number;
  /** The numbers in `user_feedback`. */
  feedback: ColumnRange;
  rows(): AsyncGenerator<ReadRow[], void>;
  close(): Promise<void>;
}

/**
 * Opens a SQLite file. One that is in WAL mode is copied first, with what its log holds: reading it in place would need
 * to write beside it. Throws `invalid_option` when it is no database or has no table `usage` with the columns needed.
 */
export async function openUsageDatabase(file: string): Promise<UsageDatabase> {
  const sqlite = createRequire(import.meta.url)('node-sqlite3-wasm') as typeof import('node-sqlite3-wasm');
  const copy = (await isWal(file)) ? await copied(file) : undefined;
  let db: Database | undefined;
  const close = async () => {
    db?.close();
    if (copy !== undefined) await rm(path.dirname(copy), { recursive: true, force: true });
  };
  try {
    db = new sqlite.Database(copy ?? file, { fileMustExist: true, readOnly: copy === undefined });
    // In this mode a log needs no shared memory, which there is not.
    if (copy !== undefined) db.exec('PRAGMA locking_mode = EXCLUSIVE');
    const present = db.all('PRAGMA table_info(usage)').map(({ name }) => name as unknown as string);
    const missing = ['id', 'timestamp', 'query', 'response'].filter((name) => !present.includes(name));
    if (missing.length > 0) throw notUsable(file, `its table usage lacks ${missing.join(', ')}`);
    const columns = USAGE_COLUMNS.filter((name) => present.includes(name));
    const opened = db;
    const total = Number(opened.get('SELECT count(*) AS n FROM usage')?.n ?? 0);
    const feedback = columns.includes('user_feedback') ? rangeOf(opened) : NOTHING;
    return { total, feedback, close, rows: () => rows(opened, columns) };
  } catch (error) {
    await close();
    throw error instanceof UnderstudyError ? error : notUsable(file, (error as Error).message);
  }
}

const NOTHING: ColumnRange = { min: null, max: null, whole: true, hasEmpty: false };

function rangeOf(db: Database): ColumnRange {
  const found = db.get(
    `SELECT min(v) AS low, max(v) AS high, coalesce(sum(v <> CAST(v AS INTEGER)), 0) AS fractions,
       (SELECT count(*) FROM usage WHERE user_feedback IS NULL OR user_feedback = '') AS empty
     FROM (SELECT CAST(user_feedback AS REAL) AS v FROM usage
       WHERE typeof(user_feedback) IN ('integer', 'real') OR user_feedback GLOB '[0-9]*' OR user_feedback GLOB '-[0-9]*')`,
  ) as unknown as { low: number | null; high: number | null; fractions: number; empty: number };
  return { min: found.low, max: found.high, whole: Number(found.fractions) === 0, hasEmpty: Number(found.empty) > 0 };
}

async function* rows(db: Database, columns: readonly string[]): AsyncGenerator<ReadRow[], void> {
  // Column names are ours; in the order of rowid, so that an interrupted import finds its place again.
  const statement = db.prepare(`SELECT ${columns.join(', ')} FROM usage ORDER BY rowid`);
  try {
    let line = 0;
    let group: ReadRow[] = [];
    for (const value of statement.iterate()) {
      line += 1;
      group.push({ line, value });
      if (group.length < GROUP) continue;
      yield group;
      group = [];
    }
    yield group;
  } finally {
    statement.finalize();
  }
}

async function isWal(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const header = Buffer.alloc(20);
    await handle.read(header, 0, 20, 0);
    return header[18] === 2;
  } finally {
    await handle.close();
  }
}

async function copied(file: string): Promise<string> {
  const copy = path.join(await mkdtemp(path.join(tmpdir(), 'understudy-sqlite-')), 'usage.db');
  await copyFile(file, copy);
  await copyFile(`${file}-wal`, `${copy}-wal`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  return copy;
}

function notUsable(file: string, detail: string): UnderstudyError {
  return new UnderstudyError('invalid_option', { option: 'FILE', detail: `${file} cannot be read (${detail})` });
}
