import { FORMATS, type Format, type FormatName, recognizeFormat, scaleOf, usageTable } from '../formats/index.js';
import { openInput, statOf } from './open-input.js';
import { type ReadRow, readRows } from './read-rows.js';
import { openUsageDatabase } from './sqlite-rows.js';

const SQLITE = Buffer.from('SQLite format 3\0');

/** An opened file and how it is read. */
export interface OpenRows {
  name: FormatName | 'sqlite';
  format: Format;
  /** Whether the format was told from the file. */
  detected: boolean;
  rows: AsyncGenerator<ReadRow[], void>;
  /** From 0 to 1, or undefined when the end is not known. */
  share(line: number): number | undefined;
  close(): Promise<void>;
}

/**
 * Opens a file (`-` is standard input) and says which format its rows have, unless it was said. What looks like none is
 * read as interaction records, whose reasons tell what is wrong with it.
 */
export async function openRows(file: string, wanted: FormatName | 'sqlite' | undefined): Promise<OpenRows> {
  const size = file === '-' ? undefined : (await statOf(file)).size;
  if (wanted === 'sqlite') return openSqlite(file, false);
  let read = 0;
  const { chunks, magic } = await openInput(file, (bytes) => {
    read += bytes;
  });
  if (wanted === undefined && file !== '-' && magic.subarray(0, SQLITE.length).equals(SQLITE)) {
    await chunks.return();
    return openSqlite(file, true);
  }
  const { rows } = await readRows(chunks);
  const first = await rows.next();
  const name = wanted ?? recognize(first.value ?? []) ?? 'records';
  return {
    name,
    format: FORMATS[name],
    detected: wanted === undefined,
    rows: again(first.value ?? undefined, rows),
    share: () => (size ? read / size : undefined),
    close: async () => {
      await chunks.return();
    },
  };
}

async function openSqlite(file: string, detected: boolean): Promise<OpenRows> {
  const database = await openUsageDatabase(file);
  return {
    name: 'sqlite',
    format: usageTable(scaleOf(database.feedback)),
    detected,
    rows: database.rows(),
    share: (line) => (database.total === 0 ? undefined : line / database.total),
    close: database.close,
  };
}

function recognize(rows: readonly ReadRow[]): FormatName | undefined {
  for (const row of rows.slice(0, 100)) {
    const name = recognizeFormat(jsonOf(row));
    if (name !== undefined) return name;
  }
  return undefined;
}

/** The value of a row; undefined when it is none. */
export function jsonOf({ value, text }: ReadRow): unknown {
  if (text === undefined) return value;
  try {
    // Trimmed of the mark that some programs begin a file with.
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text) as unknown;
  } catch {
    return undefined;
  }
}

async function* again(
  first: ReadRow[] | undefined,
  rest: AsyncGenerator<ReadRow[], void>,
): AsyncGenerator<ReadRow[], void> {
  if (first !== undefined) yield first;
  yield* rest;
}
