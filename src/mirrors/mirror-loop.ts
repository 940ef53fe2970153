import type { Logger } from 'pino';
import { competeForLeadership, type Passes, runPasses } from '../background/index.js';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import { type Delivered, deliverDue } from './deliver.js';
import { deriveEvents, type ParkedCycle } from './derive-events.js';
import { mirrorsOf } from './event.js';
import type { Secrets } from './send-webhook.js';

export interface MirrorDeps {
  db: Db;
  secrets: Secrets;
  /** Between the end of a pass and the next one. */
  intervalMs: number;
  /** The cycles that wait for an operator. May fail, and does while Temporal is down. */
  parked: () => Promise<ParkedCycle[]>;
  /** How often it is asked; default every 30 s. */
  parkedEveryMs?: number;
  clock?: () => Date;
  logger: Pick<Logger, 'info' | 'warn'>;
}

export interface MirrorPass {
  /** False: another server's loop leads, and this one did nothing. */
  leader: boolean;
  /** New events. */
  events: number;
  deliveries: Delivered[];
}

/** A pass rejects when Postgres cannot be asked; stopping cuts off what is being sent, and the next loop sends it again. */
export type MirrorLoop = Passes<MirrorPass>;

/**
 * Tells the mirrors of all models what happened, on one server at a time. Everything it knows is stored: a process that
 * dies is followed by another one that goes on where it was.
 */
export function startMirrors(deps: MirrorDeps): MirrorLoop {
  const { db, logger, clock = () => new Date(), parkedEveryMs = 30_000 } = deps;
  const leadership = competeForLeadership(db.url, 'mirrors');
  let askedParked = Number.NEGATIVE_INFINITY;

  async function passOnce(stopping: AbortSignal): Promise<MirrorPass> {
    const result: MirrorPass = { leader: await leadership.check(), events: 0, deliveries: [] };
    if (!result.leader) return result;
    const policies = await readMirrored(db);
    if (policies.length === 0) return result;
    const parked = await readParked();
    for (const policy of policies) {
      try {
        result.events += await deriveEvents(db, policy, { parked, now: clock() });
      } catch (error) {
        logger.warn(
          { model: policy.name, detail: errorDetail(error) },
          'mirror events not made; again at the next pass',
        );
      }
    }
    // Each mirror for itself: one that does not answer must not hold the others up.
    const groups = policies.flatMap((policy) => [...mirrorsOf(policy).keys()].map((mirror) => ({ policy, mirror })));
    const done = await Promise.all(groups.map(({ policy, mirror }) => deliver(policy, mirror, stopping)));
    result.deliveries = done.flat();
    return result;
  }

  async function deliver(policy: Policy, mirror: string, signal: AbortSignal): Promise<Delivered[]> {
    const done = await deliverDue({ db, secrets: deps.secrets, clock, signal }, policy, mirror);
    for (const { event, error, state } of done) {
      if (error !== null && !signal.aborted)
        logger.warn({ model: policy.name, mirror, event, error, state }, 'mirror did not take an event');
    }
    return done;
  }

  async function readParked(): Promise<ParkedCycle[]> {
    if (clock().getTime() - askedParked < parkedEveryMs) return [];
    askedParked = clock().getTime();
    return deps.parked().catch((error: unknown) => {
      logger.warn({ detail: errorDetail(error) }, 'cycles that need an operator are not known; asked again later');
      return [];
    });
  }

  const passes = runPasses(passOnce, {
    everyMs: deps.intervalMs,
    onFailure: (error) => logger.warn({ detail: errorDetail(error) }, 'mirror pass failed'),
  });
  return {
    pass: passes.pass,
    async stop() {
      await passes.stop();
      await leadership.resign();
    },
  };
}

/** The policies that name a mirror. One that this program does not understand has none. */
async function readMirrored(db: Db): Promise<Policy[]> {
  const { rows } = await db.pool.query<{ policy: unknown }>(
    "SELECT policy FROM models WHERE policy ? 'mirrors' ORDER BY name",
  );
  return rows.flatMap(({ policy }) => {
    try {
      const parsed = parsePolicy(policy);
      return mirrorsOf(parsed).size > 0 ? [parsed] : [];
    } catch {
      return [];
    }
  });
}
