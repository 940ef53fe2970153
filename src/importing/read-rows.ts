import { csvRows } from './csv-rows.js';
import { splitLines } from './split-lines.js';
import { splitValues } from './split-values.js';

/** A row as it was read: text still to be parsed, or a value, or the reason why it is neither. */
export interface ReadRow {
  /** Of the line, or of the element or row in other files; the first one is 1. */
  line: number;
  text?: string;
  value?: unknown;
  reason?: string;
}

/** How rows lie in a file. */
export type Container = 'lines' | 'values' | 'csv';

/** The rows of unpacked bytes, in groups as they come, and how they lie there: told from the first line that says something. */
export async function readRows(
  chunks: AsyncGenerator<Buffer, void>,
): Promise<{ container: Container; rows: AsyncGenerator<ReadRow[], void> }> {
  let opened = Buffer.alloc(0);
  let container: Container | undefined;
  while (container === undefined) {
    const next = await chunks.next();
    if (!next.done) opened = Buffer.concat([opened, next.value]);
    container = containerOf(opened.toString('utf8'), Boolean(next.done) || opened.length > 1 << 20);
  }
  const whole = joined(opened, chunks);
  if (container === 'csv') return { container, rows: csvRows(whole) };
  return { container, rows: numbered(container === 'lines' ? splitLines(whole) : splitValues(whole)) };
}

/** Undefined while its first line is not known. */
function containerOf(text: string, isAll: boolean): Container | undefined {
  const start = text.replace(/^\ufeff/, '').trimStart();
  if (start.startsWith('[')) return 'values';
  const end = start.indexOf('\n');
  if (end < 0 && !isAll) return undefined;
  const first = (end < 0 ? start : start.slice(0, end)).trim();
  // JSON that was made to be read goes over many lines.
  if (first === '{') return 'values';
  return /^"?[\w .-]+"?(,"?[\w .-]+"?)+$/.test(first) ? 'csv' : 'lines';
}

async function* numbered(groups: AsyncGenerator<string[], void>): AsyncGenerator<ReadRow[], void> {
  let line = 0;
  for await (const group of groups) {
    yield group.map((text) => {
      line += 1;
      return { line, text };
    });
  }
}

async function* joined(first: Buffer, rest: AsyncGenerator<Buffer, void>): AsyncGenerator<Buffer, void> {
  if (first.length > 0) yield first;
  yield* rest;
}
