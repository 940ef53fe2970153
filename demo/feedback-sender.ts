import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import type { Rating } from './feedback-style.js';

/** One item for `POST /v1/feedback`. */
export type FeedbackItem = Rating & { id: string; interaction: string };

export interface FeedbackTotals {
  /** Items the server has acknowledged as stored (a duplicate of its own resend included). */
  stored: number;
  /** Items the server will never take (`invalid`, `conflict`, or the whole batch answered 4xx). */
  refused: number;
  /** Items given up when the sender was closed. */
  lost: number;
  /** Items not yet acknowledged. */
  pending: number;
  /** Batches that had to be sent again. */
  retries: number;
}

export interface FeedbackSenderOptions {
  url: string;
  apiKey: string;
  dispatcher: Dispatcher;
  /** Feedback waits at most so long for company. Default 200 ms. */
  maxDelayMs?: number;
  /** Items in one request. Default 100. */
  maxBatch?: number;
  /** How long `flush` goes on trying. Default 15,000 ms. */
  patienceMs?: number;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Sends feedback in batches, one request at a time and in the order it was given, and again until the server has
 * acknowledged it. Nothing here rejects.
 */
export class FeedbackSender {
  readonly #options: Required<FeedbackSenderOptions>;
  readonly #queue: FeedbackItem[] = [];
  readonly #totals = { stored: 0, refused: 0, lost: 0, retries: 0 };
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;

  constructor(options: FeedbackSenderOptions) {
    this.#options = { maxDelayMs: 200, maxBatch: 100, patienceMs: 15_000, ...options };
  }

  add(item: FeedbackItem): void {
    if (this.#closing.signal.aborted) {
      this.#totals.lost += 1;
      return;
    }
    this.#queue.push(item);
    if (this.#queue.length >= this.#options.maxBatch) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#options.maxDelayMs);
  }

  totals(): FeedbackTotals {
    return { ...this.#totals, pending: this.#queue.length };
  }

  /** Resolves when everything given so far is acknowledged, or when patience is at its end. */
  async flush(): Promise<void> {
    const enough = new AbortController();
    const impatient = sleep(this.#options.patienceMs, undefined, { signal: enough.signal }).catch(() => undefined);
    void impatient.then(() => enough.abort());
    while (this.#queue.length > 0 && !enough.signal.aborted && !this.#closing.signal.aborted) {
      this.#send();
      await Promise.race([this.#sending, impatient]);
    }
    enough.abort();
  }

  /** Stops sending; what is not acknowledged is counted as lost. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#timer) clearTimeout(this.#timer);
    await this.#sending;
    this.#totals.lost += this.#queue.length;
    this.#queue.length = 0;
  }

  #send(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = null;
    });
  }

  async #drain(): Promise<void> {
    let wait = FIRST_RETRY_MS;
    while (this.#queue.length > 0 && !this.#closing.signal.aborted) {
      const batch = this.#queue.slice(0, this.#options.maxBatch);
      const done = await this.#post(batch);
      if (done) {
        this.#queue.splice(0, batch.length);
        this.#totals.stored += done.stored;
        this.#totals.refused += done.refused;
        wait = FIRST_RETRY_MS;
      } else {
        this.#totals.retries += 1;
        await sleep(wait, undefined, { signal: this.#closing.signal }).catch(() => undefined);
        wait = Math.min(wait * 2, LONGEST_RETRY_MS);
      }
    }
  }

  /** @returns what became of the items, or null when the batch has to be sent again */
  async #post(batch: readonly FeedbackItem[]): Promise<{ stored: number; refused: number } | null> {
    try {
      const response = await request(this.#options.url, {
        method: 'POST',
        dispatcher: this.#options.dispatcher,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#options.apiKey}` },
        body: JSON.stringify({ feedback: batch }),
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      });
      const { statusCode } = response;
      if (statusCode !== 200) {
        await response.body.dump();
        // A request that is wrong stays wrong; too many requests and everything on the server's side passes.
        const final = statusCode >= 400 && statusCode < 500 && statusCode !== 429 && statusCode !== 408;
        return final ? { stored: 0, refused: batch.length } : null;
      }
      const { results } = (await response.body.json()) as { results: { status: string }[] };
      const stored = results.filter(({ status }) => status === 'stored' || status === 'duplicate').length;
      return { stored, refused: batch.length - stored };
    } catch {
      return null;
    }
  }
}
