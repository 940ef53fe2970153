import { gradeSource, readItems } from '../reviews/index.js';
import { checked } from './checked.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

/** Writes what is to be graded as JSON lines. */
export async function reviewItems(model: string, options: { source: string; limit: string }): Promise<void> {
  const source = checked('--source', gradeSource, options.source);
  const limit = wholeNumber('--limit', options.limit);
  const items = await withDb((db) => readItems(db, { model, source, limit }));
  for (const item of items) process.stdout.write(`${JSON.stringify(item)}\n`);
}
