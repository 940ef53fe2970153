import { Readable } from 'node:stream';
import type { ReadRow } from './read-rows.js';

const GROUP = 500;

/** The rows of a CSV with a header (RFC 4180), as objects. A row that breaks its rules is refused, the next ones are read. */
export async function* csvRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadRow[], void> {
  const { parse } = await import('csv-parse');
  const broken: ReadRow[] = [];
  let line = 0;
  const parser = parse({
    columns: true,
    bom: true,
    skip_empty_lines: true,
    relax_column_count: true,
    skip_records_with_error: true,
    on_skip: () => {
      line += 1;
      broken.push({ line, reason: 'is not CSV' });
    },
  });
  const input = Readable.from(chunks, { objectMode: false });
  input.on('error', (error) => parser.destroy(error));
  let group: ReadRow[] = [];
  for await (const value of input.pipe(parser) as AsyncIterable<Record<string, string>>) {
    line += 1;
    group.push({ line, value });
    if (group.length < GROUP) continue;
    yield [...group, ...broken.splice(0)];
    group = [];
  }
  yield [...group, ...broken.splice(0)];
}
