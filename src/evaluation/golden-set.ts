import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { ArtifactStore } from '../artifacts/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';

export interface GoldenRow {
  /** What is asked: everything before the right answer. */
  messages: { role: 'system' | 'developer' | 'user' | 'assistant'; content: string }[];
  answer: string;
}

export interface GoldenSet {
  rows: GoldenRow[];
  /** SHA-256 of the file, hex. */
  digest: string;
}

/** Fewer decide nothing: their lower bound lies below any sensible margin. */
const MIN_ROWS = 200;
const MAX_ROWS = 20_000;
const line = z.object({
  messages: z
    .array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content: z.string().min(1) }))
    .min(2, 'needs a question and an answer'),
});

/**
 * Reads a golden set: JSONL of `{"messages": […]}` whose last message is the assistant's right answer, from an `artifact:`
 * URI or a path below the artifact root. Throws `golden_set_unreadable` with the line number, and `golden_set_too_small`
 * below 200 rows.
 */
export async function readGoldenSet(store: ArtifactStore, reference: string): Promise<GoldenSet> {
  const hash = createHash('sha256');
  const rows: GoldenRow[] = [];
  let number = 0;
  const stream = await store.open(reference).catch((error: unknown) => {
    throw unreadable(errorDetail(error), error);
  });
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    hash.update(`${text}\n`);
    if (text.trim() !== '') rows.push(parseLine(text, number));
    if (rows.length > MAX_ROWS) throw unreadable(`it has more than ${MAX_ROWS} rows`);
  }
  if (rows.length < MIN_ROWS) throw new UnderstudyError('golden_set_too_small', { n: rows.length });
  return { rows, digest: hash.digest('hex') };
}

function parseLine(text: string, number: number): GoldenRow {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unreadable(`line ${number} is not JSON`);
  }
  const parsed = line.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw unreadable(`line ${number}: ${issue?.path.join('.')} ${issue?.message}`);
  }
  const answer = parsed.data.messages.at(-1)!;
  if (answer.role !== 'assistant')
    throw unreadable(`line ${number}: the last message must be the assistant's right answer`);
  return { messages: parsed.data.messages.slice(0, -1), answer: answer.content };
}

function unreadable(detail: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError('golden_set_unreadable', { detail }, { cause });
}
