import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type ExportFilter, readForExport } from '../interactions/index.js';
import { openJsonl } from './jsonl-output.js';
import { openParquet } from './parquet-output.js';

export interface ExportRequest {
  filter: ExportFilter;
  /** A path, or `-` for standard output. */
  out: string;
  /** Told from the ending of `out` when absent. */
  format?: 'jsonl' | 'parquet';
  signal?: AbortSignal;
}

export interface ExportResult {
  format: 'jsonl' | 'parquet';
  interactions: number;
  feedback: number;
  interrupted: boolean;
}

/**
 * Writes the interactions of a model with their feedback, oldest first, as they were when it began. An interrupted export
 * leaves no file. Throws `unknown_model`, and `invalid_option` when the output cannot be written.
 *
 * @param progress is given what to ask for how far it is: interactions written, and all of them
 */
export async function runExport(
  db: Pick<Db, 'pool'>,
  { filter, out, format, signal }: ExportRequest,
  progress: (read: () => { done: number; total: number }) => void,
): Promise<ExportResult> {
  const kind = format ?? (out.endsWith('.parquet') ? 'parquet' : 'jsonl');
  if (kind === 'parquet' && out === '-')
    throw new UnderstudyError('invalid_option', { option: '--out', detail: 'must be a file for parquet' });
  const known = await db.pool.query('SELECT FROM models WHERE name = $1', [filter.model]);
  if (known.rowCount === 0) throw new UnderstudyError('unknown_model', { model: filter.model });
  const output = await (kind === 'parquet' ? openParquet(out) : openJsonl(out));
  const result: ExportResult = { format: kind, interactions: 0, feedback: 0, interrupted: false };
  let total = 0;
  progress(() => ({ done: result.interactions, total }));
  try {
    const batches = readForExport(db, filter, (found) => {
      total = found;
    });
    for await (const batch of batches) {
      if (signal?.aborted) {
        await output.abandon();
        return { ...result, interrupted: true };
      }
      await output.write(batch);
      result.interactions += batch.length;
      for (const { feedback } of batch) result.feedback += (feedback as unknown[] | undefined)?.length ?? 0;
    }
    await output.finish();
    return result;
  } catch (error) {
    await output.abandon();
    throw error;
  }
}
