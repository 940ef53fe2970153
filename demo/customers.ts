import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { v7 as uuidv7 } from 'uuid';
import { FeedbackSender, type FeedbackTotals } from './feedback-sender.js';
import { type FeedbackStyle, rate, wrongLabels } from './feedback-style.js';
import type { QuestionFeed } from './question-feed.js';
import type { Question } from './questions.js';
import { createRandom } from './random.js';

/** Where customers go and who they are. */
export interface CustomersOptions {
  /** The server, without `/v1`, e.g. `http://127.0.0.1:8080`. */
  gateway: string;
  /** A key with the scopes `serve` and `ingest`; sent as a bearer token, never shown. */
  apiKey: string;
  /** The model's name as apps ask for it. */
  model: string;
  /** Drives who asks, mistakes, corrections and wrong labels. */
  seed: number;
  /** All right answers there are; `wrong-labels` picks from them. */
  labels: readonly string[];
  /** How many people take turns to ask; questions that name their subject keep it. Default 600. */
  subjects?: number;
  /** Room for an answer, in tokens. Default 32. */
  maxTokens?: number;
  /** An answer that takes longer is a failed request. Default 30,000 ms. */
  timeoutMs?: number;
}

/** One stretch of asking. */
export interface Shift {
  questions: QuestionFeed;
  /** Requests at the same time, 1 or more. */
  concurrency: number;
  /** At most so many requests start in a second; without it as fast as answers come. */
  ratePerSecond?: number;
  /** How answers are rated. Default `honest`. */
  style?: FeedbackStyle;
}

/** What customers saw of one version. */
export interface VersionTotals {
  /** Answers that came, right ones among them. */
  asked: number;
  right: number;
  /** Requests that failed although the version is known from the answer's header. */
  failed: number;
  /** Thumbs given, thumbs up among them (mistakes included). */
  thumbs: number;
  thumbsUp: number;
}

/** Everything since the customers were made, over all shifts. */
export interface CustomerTotals {
  requests: number;
  failed: number;
  /** Failures by HTTP status; `network` is no answer at all, `body` an answer that could not be read. */
  failures: Record<string, number>;
  /** By `x-understudy-version`; `unknown` where the header was missing. */
  versions: Record<string, VersionTotals>;
  /** Answers by `x-understudy-arm`, during experiment and bake. */
  arms: Record<string, { asked: number; right: number }>;
  feedback: FeedbackTotals;
}

/** A pause after a failed request, so that customers do not hammer a gateway that is down. */
const AFTER_FAILURE_MS = 200;

/**
 * Simulated customers of a support desk: each knows the right answer, asks through the OpenAI protocol with nothing
 * but the base URL changed, and rates every answer. One shift runs at a time; totals go over all shifts.
 */
export class Customers {
  readonly #options: Required<CustomersOptions>;
  readonly #agent = new Agent({ keepAliveTimeout: 10_000, connections: null });
  readonly #feedback: FeedbackSender;
  readonly #wrongLabel: (truth: string) => string;
  readonly #totals: Omit<CustomerTotals, 'feedback'> = { requests: 0, failed: 0, failures: {}, versions: {}, arms: {} };
  #shift: { stopping: AbortController; finished: Promise<void> } | null = null;
  #shifts = 0;

  constructor(options: CustomersOptions) {
    this.#options = { subjects: 600, maxTokens: 32, timeoutMs: 30_000, ...options };
    this.#wrongLabel = wrongLabels(options.labels, options.seed);
    this.#feedback = new FeedbackSender({
      url: `${options.gateway}/v1/feedback`,
      apiKey: options.apiKey,
      dispatcher: this.#agent,
    });
  }

  /**
   * Begins to ask. The promise it gives resolves, never rejects, when the feed is empty or `stop` was called and all
   * feedback is stored. @throws Error when a shift is running already.
   */
  start(shift: Shift): Promise<void> {
    if (this.#shift) throw new Error('the customers are asking already');
    const stopping = new AbortController();
    // Every customer waits on it at once.
    setMaxListeners(0, stopping.signal);
    const pace = createPace(shift.ratePerSecond);
    const number = this.#shifts++;
    const asking = Array.from({ length: shift.concurrency }, () => this.#ask(shift, number, pace, stopping.signal));
    const finished = Promise.all(asking)
      .then(() => this.#feedback.flush())
      .finally(() => {
        this.#shift = null;
      });
    this.#shift = { stopping, finished };
    return finished;
  }

  /** Stops asking; requests under way are answered and rated, feedback is delivered. Resolves at once when idle. */
  async stop(): Promise<void> {
    this.#shift?.stopping.abort();
    await this.#shift?.finished;
  }

  /** Stops and closes all connections; the customers cannot ask again. */
  async close(): Promise<void> {
    await this.stop();
    await this.#feedback.close();
    await this.#agent.destroy();
  }

  /** A copy of the totals as of now. */
  totals(): CustomerTotals {
    return structuredClone({ ...this.#totals, feedback: this.#feedback.totals() });
  }

  async #ask(shift: Shift, number: number, pace: Pace, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pace(signal);
      if (signal.aborted) return;
      const next = shift.questions.next();
      if (next === null) return;
      const ok = await this.#askOne(next.question, `${number}:${next.index}`, shift.style ?? 'honest');
      if (!ok) await pause(AFTER_FAILURE_MS, signal);
    }
  }

  /** Asks and rates one question; false when the request failed. Draws by the question's place, not by who was first. */
  async #askOne(question: Question, place: string, style: FeedbackStyle): Promise<boolean> {
    const random = createRandom(this.#options.seed, 'customer', place);
    const subject = question.subject ?? `customer-${String(1 + random.int(this.#options.subjects)).padStart(4, '0')}`;
    this.#totals.requests += 1;
    const answer = await this.#request(question.text, subject);
    if ('failure' in answer) {
      this.#totals.failed += 1;
      this.#totals.failures[answer.failure] = (this.#totals.failures[answer.failure] ?? 0) + 1;
      if (answer.version !== undefined) this.#version(answer.version).failed += 1;
      return false;
    }
    const right = answer.content.trim() === question.intent;
    const version = this.#version(answer.version ?? 'unknown');
    version.asked += 1;
    if (right) version.right += 1;
    if (answer.arm !== undefined) {
      this.#totals.arms[answer.arm] ??= { asked: 0, right: 0 };
      const arm = this.#totals.arms[answer.arm] as { asked: number; right: number };
      arm.asked += 1;
      if (right) arm.right += 1;
    }
    for (const rating of rate({ right, truth: question.intent }, style, random, this.#wrongLabel)) {
      if (rating.kind === 'thumbs') {
        version.thumbs += 1;
        if (rating.value === 1) version.thumbsUp += 1;
      }
      // Ids in the order of the ratings: of two that arrive together the later id is the later word. A resend of the
      // same id is a duplicate, so feedback whose answer got lost can be sent again.
      this.#feedback.add({ id: uuidv7(), interaction: answer.id, ...rating });
    }
    return true;
  }

  async #request(text: string, subject: string): Promise<Answer | Failure> {
    const { gateway, apiKey, model, maxTokens, timeoutMs } = this.#options;
    let version: string | undefined;
    let received = false;
    try {
      const response = await request(`${gateway}/v1/chat/completions`, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
        body: JSON.stringify({
          model,
          messages: [{ role: 'user', content: text }],
          user: subject,
          max_tokens: maxTokens,
          temperature: 0,
        }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      version = header(response.headers['x-understudy-version']);
      if (response.statusCode !== 200) {
        await response.body.dump();
        return { failure: String(response.statusCode), version };
      }
      received = true;
      const body = (await response.body.json()) as CompletionBody;
      const content = body.choices?.[0]?.message?.content;
      if (typeof body.id !== 'string' || typeof content !== 'string') return { failure: 'body', version };
      return { id: body.id, content, version, arm: header(response.headers['x-understudy-arm']) };
    } catch {
      // What exactly went wrong may quote the request; the status is all that is told.
      return { failure: received ? 'body' : 'network', version };
    }
  }

  #version(name: string): VersionTotals {
    this.#totals.versions[name] ??= { asked: 0, right: 0, failed: 0, thumbs: 0, thumbsUp: 0 };
    return this.#totals.versions[name] as VersionTotals;
  }
}

interface Answer {
  id: string;
  content: string;
  version: string | undefined;
  arm: string | undefined;
}

interface Failure {
  failure: string;
  version: string | undefined;
}

interface CompletionBody {
  id?: unknown;
  choices?: { message?: { content?: unknown } }[];
}

/** Waits until the next request may start. */
type Pace = (signal: AbortSignal) => Promise<void>;

function createPace(ratePerSecond: number | undefined): Pace {
  if (ratePerSecond === undefined) return async () => undefined;
  const gap = 1000 / ratePerSecond;
  let next = performance.now();
  return async (signal) => {
    const now = performance.now();
    // Time that was lost to slow answers is not made up for in a burst.
    next = Math.max(next + gap, now);
    await pause(next - now, signal);
  };
}

/** Waits, but not beyond the signal; never rejects. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

function header(value: string | string[] | undefined): string | undefined {
  return (Array.isArray(value) ? value[0] : value) || undefined;
}
