import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { UnderstudyError } from '../errors.js';
import { Recent } from '../recent.js';
import { headerOf, type ModelAnswer, type ModelCall } from './model-call.js';

/** One request of a user, however often the client sends it. */
export interface Attempt {
  /** Of the interaction; the same for all attempts. */
  id: string;
  askedAt: Date;
  /** From 1. */
  number: number;
  /** What an earlier attempt was answered, under the same Idempotency-Key; nothing is asked again then. */
  answered: ModelAnswer | undefined;
  /** To be called when this attempt has ended, with the answer if it was a good one in one piece. */
  end(answer: ModelAnswer | undefined): void;
}

/** Recognises requests that their clients send again. */
export interface Attempts {
  /**
   * Waits for an attempt under way with the same Idempotency-Key. Throws `idempotency_key_reused` when it came with another
   * body.
   *
   * @param subject HMAC, or null
   * @param first id and time for a request that is not known
   */
  begin(call: ModelCall, subject: string | null, first: () => { id: string; askedAt: Date }): Promise<Attempt>;
}

interface Known {
  id: string;
  askedAt: Date;
  attempts: number;
  /** When it is forgotten. */
  until: number;
  /** Digest of the body, where it is not in what it is found by. */
  body: string;
  /** The attempt under way, where others under its key wait for it. */
  pending: Promise<void> | undefined;
  answer: ModelAnswer | undefined;
}

/** How a client says that it tries again: OpenAI's and others' own headers. Zero stands for the first time. */
const RETRY_HEADERS = ['x-stainless-retry-count', 'x-retry-count'];
/** Without an Idempotency-Key the same body is the same request for so long. */
const SAME_BODY_MS = 60_000;
const SAME_KEY_MS = 600_000;
const KEPT = 50_000;
/** Answers kept for a retry, in characters: one, and all together. */
const LONGEST_ANSWER = 256 * 1_024;
const ALL_ANSWERS = 32 * 1_024 * 1_024;

/**
 * A client that lost its connection or its patience sends its request again. Under one Idempotency-Key, or with the same
 * body by the same subject and a retry header, that is one logical request: one interaction, that of the last attempt.
 * Known to this gateway only, for a minute (ten under a key).
 *
 * @param clock milliseconds
 */
export function createAttempts(clock: () => number = () => performance.now(), kept = KEPT): Attempts {
  let answers = 0;
  const bodies = new Recent<Known>({ kept, forMs: SAME_BODY_MS, clock });
  const keys = new Recent<Known>({
    ...{ kept, forMs: SAME_KEY_MS, clock },
    onForgotten: ({ answer }) => {
      answers -= sizeOf(answer);
    },
  });

  function find(requests: Recent<Known>, key: string): Known | undefined {
    const known = requests.get(key);
    if (known === undefined || known.until > clock()) return known;
    answers -= sizeOf(known.answer);
    requests.delete(key);
    return undefined;
  }

  function make({ id, askedAt }: { id: string; askedAt: Date }, body: string, forMs: number): Known {
    return { id, askedAt, attempts: 0, until: clock() + forMs, body, pending: undefined, answer: undefined };
  }

  function attempt(known: Known, end: Attempt['end']): Attempt {
    known.attempts += 1;
    return { id: known.id, askedAt: known.askedAt, number: known.attempts, answered: undefined, end };
  }

  /** An attempt that others under its key wait for, and whose answer is theirs too. */
  function awaited(key: string, known: Known): Attempt {
    let ended = () => {};
    known.pending = new Promise<void>((resolve) => {
      ended = resolve;
    });
    return attempt(known, (answer) => {
      known.pending = undefined;
      const size = sizeOf(answer);
      if (size <= LONGEST_ANSWER && answers + size <= ALL_ANSWERS && keys.get(key) === known) {
        known.answer = answer;
        answers += size;
      }
      ended();
    });
  }

  return {
    async begin(call, subject, first) {
      const idempotencyKey = headerOf(call, 'idempotency-key');
      if (idempotencyKey === undefined) {
        // Every request comes here. A checksum will do: it tells the requests of one minute of one subject apart, and only
        // one that says that it is a retry is looked up.
        const key = `${call.caller} ${subject ?? ''} ${call.endpoint} ${call.body.length} ${crc32(call.body)}`;
        const known = isRetry(call) ? find(bodies, key) : undefined;
        if (known !== undefined) return attempt(known, NOBODY_WAITS);
        const fresh = make(first(), '', SAME_BODY_MS);
        bodies.set(key, fresh);
        return attempt(fresh, NOBODY_WAITS);
      }
      const body = hash('sha256', call.body, 'base64');
      const key = `${call.caller}\0${call.endpoint}\0key ${idempotencyKey.slice(0, 256)}`;
      for (let known = find(keys, key); known !== undefined; known = find(keys, key)) {
        if (known.body !== body) throw new UnderstudyError('idempotency_key_reused');
        const { id, askedAt, attempts, answer } = known;
        if (answer !== undefined) return { id, askedAt, number: attempts, answered: answer, end() {} };
        if (known.pending === undefined) return awaited(key, known);
        await known.pending;
      }
      const fresh = make(first(), body, SAME_KEY_MS);
      keys.set(key, fresh);
      return awaited(key, fresh);
    },
  };
}

const NOBODY_WAITS = () => {};

function isRetry(call: ModelCall): boolean {
  return RETRY_HEADERS.some((name) => Number(headerOf(call, name) ?? 0) > 0);
}

function sizeOf(answer: ModelAnswer | undefined): number {
  return typeof answer?.body === 'string' ? answer.body.length : 0;
}
