import { setTimeout as sleep } from 'node:timers/promises';
import { UnderstudyError } from '../errors.js';
import { askChat, type ChatEndpoint } from '../serving/index.js';
import type { GoldenRow } from './golden-set.js';
import { isRight } from './grade.js';

/** Requests under way at once, over both versions. */
const CONCURRENCY = 8;
const ATTEMPTS = 4;

export interface Examinee {
  /** Addresses of the replicas; they take turns. */
  endpoints: ChatEndpoint[];
  timeoutMs: number;
}

/**
 * Asks every examinee every question; `result[e][row]` tells whether the answer was right. A server that is away is tried
 * again and then thrown (`serving_unreachable`): an outage must not look like a wrong answer.
 */
export async function askAll(
  rows: readonly GoldenRow[],
  examinees: readonly Examinee[],
  options: { signal?: AbortSignal | undefined; onAnswer?: ((answered: number) => void) | undefined },
): Promise<boolean[][]> {
  // An answer that goes on for much longer than the longest right one is wrong already.
  const maxTokens = 64 + 2 * Math.max(...rows.map(({ answer }) => answer.length));
  const right = examinees.map(() => new Array<boolean>(rows.length).fill(false));
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  // Row by row: both meet a slow or broken hour of a shared server alike.
  const tasks = rows.flatMap((row, r) => examinees.map((examinee, e) => ({ row, r, examinee, e })));
  let next = 0;
  let answered = 0;
  async function work(): Promise<void> {
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      const { row, r, examinee, e } = task;
      const answer = await ask(examinee, row, r, maxTokens, signal);
      right[e]![r] = isRight(answer, row.answer);
      answered += 1;
      options.onAnswer?.(answered);
    }
  }
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  } catch (error) {
    // The first failure ends the others: nobody waits for their answers.
    stop.abort(error);
    throw error;
  }
  return right;
}

async function ask(
  { endpoints, timeoutMs }: Examinee,
  row: GoldenRow,
  turn: number,
  maxTokens: number,
  signal: AbortSignal,
): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    const endpoint = endpoints[(turn + attempt) % endpoints.length]!;
    try {
      return await askChat(endpoint, { messages: row.messages, maxTokens, timeoutMs, signal });
    } catch (error) {
      const away = error instanceof UnderstudyError && error.code === 'serving_unreachable';
      if (!away || attempt === ATTEMPTS) throw error;
      await sleep(250 * 4 ** (attempt - 1), undefined, { signal });
    }
  }
}
