import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { readCliConfig } from '../config.js';
import { UnderstudyError } from '../errors.js';
import { storeInteractions } from '../interactions/index.js';
import { fromOpenaiPair } from './from-openai-pair.js';
import { show } from './output.js';
import { readLines, unreadable } from './read-lines.js';
import { withDb } from './with-db.js';

const BATCH = 1_000;

interface ImportOptions {
  format?: 'records' | 'openai';
  /** The model that lines of `openai` are stored under; records name their own. */
  model?: string;
  rejects?: string;
  json?: boolean;
}

interface Counts {
  lines: number;
  stored: number;
  duplicate: number;
  conflict: number;
  invalid: number;
}

/**
 * Stores a JSONL file of interaction records or OpenAI pairs, plain or gzip, batch by batch, each answered after COMMIT;
 * stopping and starting again changes nothing. Refused lines are counted and written to `--rejects` with their line number and reason, without text.
 * Exit code 1 when a line was refused.
 */
export async function importFile(file: string, options: ImportOptions): Promise<void> {
  const { format = 'records', model } = options;
  if (format === 'openai' && model === undefined)
    throw new UnderstudyError('invalid_option', { option: '--model', detail: 'is needed with --format openai' });
  const counts: Counts = { lines: 0, stored: 0, duplicate: 0, conflict: 0, invalid: 0 };
  const total = file === '-' ? undefined : await sizeOf(file);
  const rejects = options.rejects === undefined ? undefined : await openRejects(options.rejects);
  let read = 0;
  const progress = startProgress(
    () => `${counts.lines} lines${total ? `, ${Math.round((100 * read) / total)} %` : ''}`,
  );
  let firstProblem: string | undefined;
  const refuse = (line: number, reason: string) => {
    firstProblem ??= `line ${line}: ${reason}`;
    rejects?.write(`${JSON.stringify({ line, reason })}\n`);
  };
  try {
    await withDb(async (db) => {
      const subjectKey = readCliConfig().subjectKey();
      const store = async (batch: { line: number; item: unknown }[]) => {
        const results = await storeInteractions(
          db,
          subjectKey,
          batch.map(({ item }) => item),
        );
        results.forEach((result, index) => {
          counts[result.status] += 1;
          if (result.status === 'conflict' || result.status === 'invalid')
            refuse(batch[index]?.line ?? 0, result.error ?? result.status);
        });
      };
      let batch: { line: number; item: unknown }[] = [];
      for await (const text of readLines(file, (bytes) => (read += bytes))) {
        counts.lines += 1;
        if (text.trim() === '') continue;
        const item = parseLine(text);
        if (item === undefined) {
          counts.invalid += 1;
          refuse(counts.lines, 'is not JSON');
          continue;
        }
        const mapped = format === 'openai' ? fromOpenaiPair(text, item, model ?? '') : item;
        if (mapped === undefined) {
          counts.invalid += 1;
          refuse(counts.lines, 'is not {"request": {…}, "response": {"created": seconds, …}}');
          continue;
        }
        batch.push({ line: counts.lines, item: mapped });
        if (batch.length === BATCH) {
          await store(batch);
          batch = [];
        }
      }
      if (batch.length > 0) await store(batch);
    });
  } finally {
    progress.stop();
    await close(rejects);
  }
  const refused = counts.conflict + counts.invalid;
  show(options.json ?? false, { ...counts, first_problem: firstProblem ?? null }, () => {
    const line = `${counts.lines} lines: ${counts.stored} stored, ${counts.duplicate} already there, ${refused} refused.`;
    return firstProblem
      ? `${line}\nFirst refused: ${firstProblem}.${options.rejects ? ` All: ${options.rejects}` : ' All: --rejects FILE'}`
      : line;
  });
  if (refused > 0) process.exitCode = 1;
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(file, error.code);
  });
  if (found.isDirectory()) throw unreadable(file, 'EISDIR');
  return found.size;
}

async function openRejects(file: string): Promise<WriteStream> {
  const stream = createWriteStream(file);
  // A full disk is told when the file is closed, and must not end the program before that.
  stream.on('error', () => undefined);
  await once(stream, 'open').catch((error: NodeJS.ErrnoException) => {
    const detail = `${file} cannot be written (${error.code})`;
    throw new UnderstudyError('invalid_option', { option: '--rejects', detail });
  });
  return stream;
}

function startProgress(text: () => string): { stop(): void } {
  if (!process.stderr.isTTY) return { stop() {} };
  const timer = setInterval(() => process.stderr.write(`\r${text()}   `), 500);
  return {
    stop() {
      clearInterval(timer);
      process.stderr.write('\r\x1b[K');
    },
  };
}

async function close(stream: WriteStream | undefined): Promise<void> {
  if (stream === undefined) return;
  stream.end();
  await finished(stream);
}
