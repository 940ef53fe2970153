import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { FormatName, FormatOptions, Item, Mapper } from '../formats/index.js';
import { addCounts, type Counts, noCounts } from './counts.js';
import { findPlace, type ImportPlace } from './import-place.js';
import { statOf } from './open-input.js';
import { jsonOf, type OpenRows, openRows } from './open-rows.js';
import type { ReadRow } from './read-rows.js';
import { openRejects, type Reject } from './rejects.js';
import { runInOrder } from './run-in-order.js';
import { checkItems, type LinedItem, type Outcome, storeItems } from './store-items.js';

/** Items of a batch, and characters of its rows: whichever is reached first. */
const BATCH = 1_000;
const BATCH_CHARACTERS = 8_000_000;
/** Milliseconds between two notes of how far the import came. */
const SAVE_EVERY = 1_000;

/** What to import, and how. */
export interface ImportRequest {
  /** A path, or `-` for standard input. */
  file: string;
  /** Told from the file when absent. */
  format?: FormatName | 'sqlite';
  model?: string;
  /** For rows that say no time; default: when the file was changed. */
  at?: Date;
  thumbs?: readonly string[];
  rejects?: string;
  /** From the first line on, also when an earlier import was interrupted. */
  restart?: boolean;
  /** Batches under way at once, each on a connection of its own. */
  connections?: number;
  /** Aborted: what is under way is finished, and the place remembered. */
  signal?: AbortSignal;
}

/** How far it is; `share` is from 0 to 1 and undefined when the end is not known. */
export interface ImportProgress {
  lines: number;
  share: number | undefined;
}

export interface ImportResult {
  format: FormatName | 'sqlite';
  counts: Counts;
  /** Lines that an earlier, interrupted import had dealt with; they are in `counts`. */
  resumed_after: number;
  interrupted: boolean;
  first_problem: Reject | null;
  /** The file of refused lines, if there are any. */
  rejects: string | null;
}

/** Where rows go. Without one it is a dry run: everything is checked and nothing stored. */
export interface ImportTarget {
  db: Pick<Db, 'pool'>;
  subjectKey: string;
}

/** What the caller is told on the way. */
export interface ImportListener {
  opened?(opened: { format: FormatName | 'sqlite'; detected: boolean; resumedAfter: number }): void;
  progress?(read: () => ImportProgress): void;
}

/**
 * Imports a file: rows are read, mapped and stored in batches, several at once, each answered after COMMIT. Ids are
 * derived from what is imported, so a second import changes nothing; an interrupted one goes on where it stopped. Throws
 * `invalid_option` for a file that cannot be read and for a format that needs an option, and errors of the database.
 */
export async function runImport(
  target: ImportTarget | undefined,
  request: ImportRequest,
  listener: ImportListener = {},
): Promise<ImportResult> {
  const { file, signal } = request;
  const isFile = file !== '-';
  const opened = await openRows(file, request.format);
  try {
    const options = await optionsOf(opened, request);
    const place = target && isFile ? await placeOf(target, opened, request, options) : undefined;
    const counts = place === undefined ? noCounts() : { ...place.counts };
    const resumedAfter = counts.lines;
    const rejects = await openRejects(request.rejects, isFile ? `${file}.rejects.jsonl` : undefined, resumedAfter > 0);
    let first: Reject | null = null;
    let saved = Date.now();
    let reading = 0;
    listener.opened?.({ format: opened.name, detected: opened.detected, resumedAfter });
    listener.progress?.(() => ({ lines: reading, share: opened.share(reading) }));
    try {
      const batches = batchesOf(opened, opened.format.mapper(options), resumedAfter, signal, (line) => {
        reading = line;
      });
      await runInOrder(
        batches,
        request.connections ?? 4,
        async ({ items }) => (target ? storeItems(target.db, target.subjectKey, items) : checkItems(items)),
        async ({ lines }, outcome: Outcome) => {
          addCounts(counts, outcome.counts);
          counts.lines = lines;
          first ??= outcome.rejects[0] ?? null;
          await rejects.write(outcome.rejects);
          if (Date.now() - saved < SAVE_EVERY) return;
          await place?.save(counts);
          saved = Date.now();
        },
      );
    } catch (error) {
      // The reason is the first error; if the database is gone, the last note of the place counts.
      await place?.save(counts).catch(() => undefined);
      throw error;
    } finally {
      await rejects.close();
    }
    const interrupted = signal?.aborted ?? false;
    await (interrupted ? place?.save(counts) : place?.forget());
    return {
      format: opened.name,
      counts,
      resumed_after: resumedAfter,
      interrupted,
      first_problem: first,
      rejects: rejects.file,
    };
  } finally {
    await opened.close();
  }
}

async function optionsOf(opened: OpenRows, request: ImportRequest): Promise<FormatOptions> {
  const { file, model, thumbs } = request;
  if (opened.format.needsModel && model === undefined)
    throw new UnderstudyError('invalid_option', {
      option: '--model',
      detail: `is needed: files of the format ${opened.name} do not name one`,
    });
  if (opened.name === 'messages' && request.at === undefined && file === '-')
    throw new UnderstudyError('invalid_option', {
      option: '--at',
      detail: 'is needed: standard input does not say when it was asked',
    });
  const at = request.at ?? (file === '-' ? undefined : new Date(Math.floor((await statOf(file)).mtimeMs)));
  return { ...(model && { model }), ...(at && { at }), ...(thumbs && { thumbs }) };
}

function placeOf(
  target: ImportTarget,
  opened: OpenRows,
  { file, restart }: ImportRequest,
  { model, at, thumbs }: FormatOptions,
): Promise<ImportPlace> {
  return findPlace(target.db, file, { format: opened.name, model, at, thumbs }, restart ?? false);
}

interface Batch {
  items: LinedItem[];
  /** All lines up to here are in this batch or an earlier one. */
  lines: number;
}

async function* batchesOf(
  { rows, format }: OpenRows,
  mapper: Mapper,
  skipped: number,
  signal: AbortSignal | undefined,
  onLine: (line: number) => void,
): AsyncGenerator<Batch, void> {
  let items: LinedItem[] = [];
  let characters = 0;
  let lines = skipped;
  for await (const group of rows) {
    for (const row of group) {
      if (signal?.aborted) break;
      if (row.line <= skipped) {
        if (format.remembers) itemsOf(row, mapper);
        continue;
      }
      lines = row.line;
      for (const item of itemsOf(row, mapper)) items.push({ ...item, line: row.line });
      characters += row.text?.length ?? 1_000;
      if (items.length < BATCH && characters < BATCH_CHARACTERS) continue;
      yield { items, lines };
      items = [];
      characters = 0;
    }
    onLine(group.at(-1)?.line ?? lines);
    if (signal?.aborted) break;
  }
  // Also without items: the last lines may be empty, and count.
  if (lines > skipped) yield { items, lines };
}

function itemsOf(row: ReadRow, mapper: Mapper): Item[] {
  if (row.reason !== undefined) return [{ kind: 'refused', reason: row.reason }];
  if (row.text !== undefined && row.text.trim() === '') return [];
  const value = jsonOf(row);
  if (value === undefined) return [{ kind: 'refused', reason: 'is not JSON' }];
  try {
    return mapper({ value, text: row.text ?? JSON.stringify(value, withoutBigints) });
  } catch {
    // Nested so deep that walking through it overflows the stack.
    return [{ kind: 'refused', reason: 'is nested too deep' }];
  }
}

function withoutBigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
