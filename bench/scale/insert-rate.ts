import type { Db } from '../../src/db/index.js';
import { storeCaptured } from '../../src/interactions/index.js';
import { interactionAt, type Span } from './traffic.js';

const BATCH = 1_000;
const WRITERS = 2;

/** Rows a second as the gateway's capture queue writes them: batches of 1,000, each a transaction, two under way. */
export async function insertRate(db: Pick<Db, 'pool'>, first: number, count: number, span: Span): Promise<number> {
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, batch) =>
    Array.from({ length: BATCH }, (_, i) => interactionAt(first + batch * BATCH + i, span)),
  );
  const start = performance.now();
  async function write(): Promise<void> {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) await storeCaptured(db, batch);
  }
  await Promise.all(Array.from({ length: WRITERS }, write));
  return (1_000 * count) / (performance.now() - start);
}
