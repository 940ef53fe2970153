import type { Logger } from 'pino';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import { readShadows, type Shadow, storeShadowAnswer } from '../shadow/index.js';
import { Leaving } from './client-signal.js';
import { spliceMember } from './splice-json.js';
import { isFailure, type Upstreams, whyNot } from './upstreams.js';

/** A request that was answered, as its shadow is asked it. */
export interface Copied {
  /** Of the interaction. */
  id: string;
  model: string;
  /** The client's body, as it came. */
  text: string;
  stream: boolean;
}

export interface ShadowTraffic {
  /** Asks the shadow behind everybody's back, for the share of requests that is its. Never throws. */
  copy(copied: Copied): void;
  stats(): ShadowStats;
  /** Reads which models have a shadow; throws when Postgres is away. They are read again every second either way. */
  refresh(): Promise<void>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

export interface ShadowStats {
  /** Copies asked of a shadow whose answer was stored. */
  shadowed: number;
  /** Copies not asked for want of room, or whose answer could not be stored. */
  shadowSkipped: number;
}

const POLL_MS = 1_000;
/** Copies under way at once; what comes meanwhile is not copied: people come first. */
const MOST = 32;

/**
 * Copies of requests for a version that answers nobody yet: its answers are stored and never returned, it meets no
 * exposure and no count of an experiment.
 */
export function openShadowTraffic(
  db: Pick<Db, 'pool'>,
  upstreams: Upstreams,
  logger: Logger,
  clock: () => number = Date.now,
): ShadowTraffic {
  const underWay = new Set<Promise<void>>();
  let shadows = new Map<string, Shadow>();
  const counts = { shadowed: 0, shadowSkipped: 0 };

  async function refresh(): Promise<void> {
    shadows = await readShadows(db, new Date(clock()));
  }
  const timer = setInterval(() => {
    // While Postgres is away no answer could be stored, and the shadows known end by themselves.
    refresh().catch(() => undefined);
  }, POLL_MS);
  timer.unref();

  async function ask({ id, model, text, stream }: Copied, version: number): Promise<void> {
    const startedAt = performance.now();
    const whole = stream ? spliceMember(spliceMember(text, 'stream', false), 'stream_options', null) : text;
    const question = {
      endpoint: 'chat/completions' as const,
      text: whole,
      stream: false,
      headers: {},
      client: new Leaving(),
    };
    const result = await upstreams.ask(model, version, question, false);
    const complete = result.kind === 'answer' && !isFailure(result) && result.status < 400;
    await storeShadowAnswer(db, {
      id,
      model,
      version,
      status: complete ? 'complete' : 'failed',
      response: complete ? result.json : null,
      failure: complete ? null : whyNot(result),
      latencyMs: performance.now() - startedAt,
    });
    counts.shadowed += 1;
  }

  return {
    refresh,
    copy(copied) {
      const shadow = shadows.get(copied.model);
      if (shadow === undefined || shadow.endsAt.getTime() <= clock() || !isIn(copied.id, shadow.share)) return;
      if (underWay.size >= MOST) {
        counts.shadowSkipped += 1;
        return;
      }
      const { id, model } = copied;
      const asking = ask(copied, shadow.version)
        .catch((error: unknown) => {
          counts.shadowSkipped += 1;
          logger.warn({ interaction: id, model, detail: errorDetail(error) }, 'an answer of the shadow was not stored');
        })
        .finally(() => underWay.delete(asking));
      underWay.add(asking);
    },
    stats: () => ({ ...counts }),
    async close() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

/** By the random end of the id, so that the choice owes nothing to time, subject or arm. */
function isIn(id: string, share: number): boolean {
  return Number.parseInt(id.slice(-8), 16) < share * 2 ** 32;
}
