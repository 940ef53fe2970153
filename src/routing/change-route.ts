import { type Db, Prisma, type Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { canonicalJson } from '../policy/index.js';
import { readRoute } from './read-route.js';
import type { NextRoute, Route, RouteAction } from './route.js';

/** Gateways listen on this channel; the payload is `<model> <epoch> <the route as JSON>`, far below the 8,000 bytes it may have. */
export const ROUTE_CHANNEL = 'understudy_route';

export interface RouteChangeRequest {
  model: string;
  /** The epoch the decision was made on; 0 creates the route. Anything else than the stored epoch changes nothing. */
  expectedEpoch: number;
  next: NextRoute;
  action: RouteAction;
  /** Who: a person, `cycle`, `watch` or `cli`. */
  actor: string;
  /** Why, at most 200 characters. */
  reason: string;
  /** The numbers it rests on: n, interval and boundary, never a bare p; no texts. */
  evidence: Record<string, unknown>;
  /** A promotion before its floor; shown for ever. */
  forced?: boolean;
  /** Makes a change idempotent: the same id again answers the first change. */
  requestId?: string | undefined;
  cycleId?: string | null;
  /** Written in the same transaction before the route, only by the call that wins: rows the new route refers to. Not at a creation. */
  before?: (tx: Tx) => Promise<void>;
  /** Written in the same transaction, after the route: the rows that must be true exactly when the route moved. */
  alongside?: (tx: Tx) => Promise<void>;
}

export type RouteChangeResult =
  /** This change made `epoch`; the route is now `route`. `repeated`: an earlier call with this request id did it. */
  | { changed: true; epoch: number; route: Route; repeated: boolean }
  /** Somebody else moved it first; `current` is what they made of it. Nothing was written. */
  | { changed: false; current: Route };

/** A change is a handful of statements; more than this means that Postgres is in trouble, and waiting does not help. */
const LIMITS = { maxWait: 10_000, timeout: 15_000 };

/**
 * The only door to the route: compare-and-swap on its epoch, the audit row with its evidence and the NOTIFY, in one
 * transaction. Throws `unknown_model` and `request_id_reused`; losing the race is an answer, not an error.
 */
export async function changeRoute(db: Db, request: RouteChangeRequest): Promise<RouteChangeResult> {
  try {
    return await db.prisma.$transaction((tx) => changeRouteIn(tx, request), LIMITS);
  } catch (error) {
    // Two creations with one request id at the same instant: the loser reads what the winner did.
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') {
      return db.prisma.$transaction((tx) => changeRouteIn(tx, request), LIMITS);
    }
    throw error;
  }
}

async function changeRouteIn(tx: Tx, request: RouteChangeRequest): Promise<RouteChangeResult> {
  const { model, next, expectedEpoch } = request;
  // Locked before anything is read or written: of many calls one goes on at a time, the others then see its epoch and
  // its request id, and `before` runs only for the one that will win.
  await tx.$queryRaw`SELECT epoch FROM routes WHERE model = ${model} FOR UPDATE`;
  const earlier = await answerEarlier(tx, request);
  if (earlier !== null) return earlier;
  const before = expectedEpoch === 0 ? null : await readRoute({ prisma: tx }, model);
  if (before !== null && before.epoch !== expectedEpoch) return { changed: false, current: before };
  if (before !== null) await request.before?.(tx);
  const epoch = expectedEpoch + 1;
  const now = new Date();
  const moved =
    before === null
      ? (await tx.route.createMany({ data: { model, epoch, ...pick(next) }, skipDuplicates: true })).count
      : (
          await tx.route.updateMany({
            where: { model, epoch: expectedEpoch },
            data: { epoch, ...pick(next), updatedAt: now, promotedAt: request.action === 'promote' ? now : null },
          })
        ).count;
  const route = await readRoute({ prisma: tx }, model);
  if (moved === 0) return (await answerEarlier(tx, request)) ?? { changed: false, current: route };
  await tx.routeChange.create({
    data: {
      model,
      epoch,
      action: request.action,
      before: before === null ? Prisma.DbNull : { ...pick(before), epoch: before.epoch },
      after: { ...pick(next), epoch },
      actor: request.actor.slice(0, 200),
      reason: request.reason.slice(0, 200),
      evidence: request.evidence as Prisma.InputJsonObject,
      forced: request.forced ?? false,
      requestId: request.requestId ?? null,
      cycleId: request.cycleId ?? null,
    },
  });
  await request.alongside?.(tx);
  await tx.$executeRaw`SELECT pg_notify(${ROUTE_CHANNEL}, ${`${model} ${epoch} ${JSON.stringify(route)}`})`;
  return { changed: true, epoch, route, repeated: false };
}

/** What an earlier call with this request id did, or null. Throws `request_id_reused` when it asked for something else. */
async function answerEarlier(
  tx: Tx,
  { model, requestId, action, next }: RouteChangeRequest,
): Promise<RouteChangeResult | null> {
  if (requestId === undefined) return null;
  const earlier = await tx.routeChange.findUnique({ where: { model_requestId: { model, requestId } } });
  if (earlier === null) return null;
  const same =
    earlier.action === action &&
    canonicalJson(pick(earlier.after as unknown as NextRoute)) === canonicalJson(pick(next));
  if (!same) throw new UnderstudyError('request_id_reused', { request_id: requestId, model });
  return { changed: true, epoch: earlier.epoch, route: await readRoute({ prisma: tx }, model), repeated: true };
}

function pick({ champion, previous, challenger, share, experimentId }: NextRoute): NextRoute {
  return { champion, previous, challenger, share, experimentId };
}
