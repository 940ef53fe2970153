import { z } from 'zod';
import { UnderstudyError } from '../errors.js';
import { type ExportRequest, runExport } from '../exporting/index.js';
import type { ExportFilter } from '../interactions/index.js';
import { instant } from './instant.js';
import { onInterrupt } from './on-interrupt.js';
import { startProgress } from './progress-bar.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

interface ExportOptions {
  out: string;
  format?: 'jsonl' | 'parquet';
  from?: string;
  to?: string;
  version?: string;
  experiment?: string;
  arm?: string;
  status?: string;
  json?: boolean;
}

/** Exports the interactions of a model, see `runExport`. Exit code 130 when Ctrl-C stopped it. */
export async function exportModel(model: string, options: ExportOptions): Promise<void> {
  const filter: ExportFilter = {
    model,
    ...(options.from !== undefined && { from: instant('--from', options.from) }),
    ...(options.to !== undefined && { to: instant('--to', options.to) }),
    ...(options.version !== undefined && { version: wholeNumber('--version', options.version) }),
    ...(options.experiment !== undefined && { experiment: uuid('--experiment', options.experiment) }),
    ...(options.arm !== undefined && { arm: options.arm }),
    ...(options.status !== undefined && { status: options.status }),
  };
  const interrupt = onInterrupt('stopping');
  const request: ExportRequest = {
    filter,
    out: options.out,
    ...(options.format && { format: options.format }),
    signal: interrupt.signal,
  };
  const started = Date.now();
  let progress: { stop(): void } | undefined;
  try {
    const result = await withDb((db) =>
      runExport(db, request, (read) => {
        progress = startProgress('interactions', () => {
          const { done, total } = read();
          return { done, share: total === 0 ? undefined : done / total };
        });
      }),
    );
    progress?.stop();
    const summary = { ...result, out: options.out, seconds: (Date.now() - started) / 1_000 };
    const text = result.interrupted
      ? 'Interrupted: nothing was kept.'
      : `${result.interactions} interactions with ${result.feedback} feedback written to ${options.out}.`;
    // Standard output may be the export itself.
    const stream = options.out === '-' ? process.stderr : process.stdout;
    stream.write(`${options.json ? JSON.stringify(summary, null, 2) : text}\n`);
    if (result.interrupted) process.exitCode = 130;
  } finally {
    progress?.stop();
    interrupt.stop();
  }
}

function uuid(option: string, text: string): string {
  if (!z.uuid().safeParse(text).success)
    throw new UnderstudyError('invalid_option', { option, detail: 'must be a UUID' });
  return text;
}
