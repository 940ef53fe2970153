import type { Db, Tx } from '../db/index.js';
import type { NextRoute, RouteAction } from './route.js';

/** One line of the audit: a move of the route that happened. */
export interface RouteChangeRecord {
  model: string;
  /** The epoch this change made. */
  epoch: number;
  action: RouteAction;
  /** Null for the change that created the route. */
  before: NextRoute | null;
  after: NextRoute;
  actor: string;
  reason: string;
  evidence: Record<string, unknown>;
  forced: boolean;
  requestId: string | null;
  cycleId: string | null;
  createdAt: Date;
}

type Reader = Pick<Db, 'prisma'> | { prisma: Tx };

/** The change made under a request id, or null. */
export async function findRouteChange(db: Reader, model: string, requestId: string): Promise<RouteChangeRecord | null> {
  const row = await db.prisma.routeChange.findUnique({ where: { model_requestId: { model, requestId } } });
  return row === null ? null : record(row);
}

/** The newest change of a model's route, or null when it has none. */
export async function lastRouteChange(db: Reader, model: string): Promise<RouteChangeRecord | null> {
  const row = await db.prisma.routeChange.findFirst({ where: { model }, orderBy: { epoch: 'desc' } });
  return row === null ? null : record(row);
}

/** The change that put the route on an experiment, or null. */
export async function changeThatStarted(
  db: Reader,
  model: string,
  experimentId: string,
): Promise<RouteChangeRecord | null> {
  const row = await db.prisma.routeChange.findFirst({
    where: { model, after: { path: ['experimentId'], equals: experimentId } },
    orderBy: { epoch: 'asc' },
  });
  return row === null ? null : record(row);
}

/** The changes that put off the end of an experiment, in order. */
export async function changesThatExtended(
  db: Reader,
  model: string,
  experimentId: string,
): Promise<RouteChangeRecord[]> {
  const rows = await db.prisma.routeChange.findMany({
    where: { model, action: 'extend_experiment', after: { path: ['experimentId'], equals: experimentId } },
    orderBy: { epoch: 'asc' },
  });
  return rows.map(record);
}

/** The change with which the route left an experiment, or null while it is still on it. */
export async function changeThatLeft(
  db: Reader,
  model: string,
  experimentId: string,
): Promise<RouteChangeRecord | null> {
  const row = await db.prisma.routeChange.findFirst({
    where: {
      model,
      before: { path: ['experimentId'], equals: experimentId },
      NOT: { after: { path: ['experimentId'], equals: experimentId } },
    },
    orderBy: { epoch: 'desc' },
  });
  return row === null ? null : record(row);
}

/**
 * The `previous` that a version had when it was last champion, null when it had none, undefined when it never was. A route
 * that goes back to the version takes it along, so that a second rollback goes one version further back and not forth again.
 * One whose adapter was dropped since cannot serve: then it is the one before that.
 */
export async function previousWhenChampion(
  db: Reader,
  model: string,
  version: number,
): Promise<number | null | undefined> {
  const seen = new Set([version]);
  let previous = await lastPrevious(db, model, version);
  while (typeof previous === 'number' && (await isDropped(db, model, previous))) {
    seen.add(previous);
    previous = (await lastPrevious(db, model, previous)) ?? null;
    if (previous !== null && seen.has(previous)) return null;
  }
  return previous;
}

async function lastPrevious(db: Reader, model: string, version: number): Promise<number | null | undefined> {
  const row = await db.prisma.routeChange.findFirst({
    where: { model, after: { path: ['champion'], equals: version } },
    orderBy: { epoch: 'desc' },
  });
  return row === null ? undefined : (row.after as unknown as NextRoute).previous;
}

async function isDropped(db: Reader, model: string, version: number): Promise<boolean> {
  return (await db.prisma.version.count({ where: { model, version, NOT: { adapterDroppedAt: null } } })) > 0;
}

type Row = Awaited<ReturnType<Db['prisma']['routeChange']['findFirstOrThrow']>>;

function record({ id: _id, ...row }: Row): RouteChangeRecord {
  return {
    ...row,
    action: row.action as RouteAction,
    before: row.before as unknown as NextRoute | null,
    after: row.after as unknown as NextRoute,
    evidence: row.evidence as Record<string, unknown>,
  };
}
