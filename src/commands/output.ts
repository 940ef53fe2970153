import { UnderstudyError } from '../errors.js';

/** Writes a value as JSON for programs, or `text` for people. */
export function show(json: boolean, value: unknown, text: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text()}\n`);
}

/** Columns padded to their widest cell; the last one is left as it is. */
export function table(
  header: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
): string {
  const cells = [
    header,
    ...rows.map((row) => row.map((cell) => (cell === null || cell === undefined ? '–' : String(cell)))),
  ];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One line for a person; the code comes first, because documents and searches use it. */
export function explain(error: unknown): string {
  if (error instanceof UnderstudyError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
