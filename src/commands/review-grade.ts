import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { UnderstudyError } from '../errors.js';
import { type Grade, type Graded, grade, gradeItems, gradeSource } from '../reviews/index.js';
import { checked } from './checked.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** A statement of this many is quick. */
const BATCH = 1_000;

/** Stores grades from a file. Exit code 1 when one is of an item that was not drawn, or cannot be stored. */
export async function reviewGrade(
  model: string,
  file: string,
  options: { source: string; json?: boolean },
): Promise<void> {
  const source = checked('--source', gradeSource, options.source);
  const grades = parseLines(await read(file));
  const results: Graded[] = [];
  await withDb(async (db) => {
    for (let i = 0; i < grades.length; i += BATCH)
      results.push(...(await gradeItems(db, { model, source, grades: grades.slice(i, i + BATCH) })));
  });
  const count = (status: Graded['status']) => results.filter((result) => result.status === status).length;
  const [stored, duplicate, unknown, invalid] = [
    count('stored'),
    count('duplicate'),
    count('unknown'),
    count('invalid'),
  ];
  if (unknown + invalid > 0) process.exitCode = 1;
  show(
    options.json ?? false,
    { model, source, stored, duplicate, unknown, invalid },
    () =>
      `${model}: ${stored} grades of ${source} stored, ${duplicate} known already, ${unknown} of items that were not drawn, ${invalid} refused.`,
  );
}

async function read(file: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new UnderstudyError('invalid_option', { option: 'file', detail: 'cannot be read' });
  }
}

function parseLines(content: string): Grade[] {
  return content.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const parsed = grade.safeParse(asJson(line));
    if (parsed.success) return [parsed.data];
    const detail = `must be lines of {"item", "grade"} with a grade from 0 to 1; line ${i + 1} is not`;
    throw new UnderstudyError('invalid_option', { option: 'file', detail });
  });
}

function asJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
