import { z } from 'zod';
import type { Db } from '../../db/index.js';
import type { NextRoute, Route } from '../../routing/index.js';

const who = {
  champion: z.int(),
  previous: z.int().nullable(),
  challenger: z.int().nullable(),
  share: z.number().nullable(),
  experiment: z.uuid().nullable(),
};

/** The row that says who answers. */
export const routeView = z.strictObject({ epoch: z.int(), ...who, valid_for_ms: z.int() });

const place = z.strictObject(who);

/** One line of the audit. */
export const routeChangeView = z.strictObject({
  epoch: z.int(),
  action: z.string(),
  before: place.nullable(),
  after: place,
  actor: z.string(),
  reason: z.string(),
  evidence: z.record(z.string(), z.unknown()),
  forced: z.boolean(),
  request_id: z.string().nullable(),
  cycle: z.uuid().nullable(),
  created_at: z.iso.datetime(),
  /** SHA-256 over this change and the hash of the one before it */
  hash: z.string(),
});

type RouteChangeRow = Awaited<ReturnType<Db['prisma']['routeChange']['findFirstOrThrow']>>;

export function viewRoute(route: Route): z.input<typeof routeView> {
  return { epoch: route.epoch, ...viewPlace(route), valid_for_ms: route.validForMs };
}

export function viewRouteChange(row: RouteChangeRow): z.input<typeof routeChangeView> {
  return {
    epoch: row.epoch,
    action: row.action,
    before: row.before === null ? null : viewPlace(row.before as unknown as NextRoute),
    after: viewPlace(row.after as unknown as NextRoute),
    actor: row.actor,
    reason: row.reason,
    evidence: row.evidence as Record<string, unknown>,
    forced: row.forced,
    request_id: row.requestId,
    cycle: row.cycleId,
    created_at: row.createdAt.toISOString(),
    hash: row.hash,
  };
}

function viewPlace({ champion, previous, challenger, share, experimentId }: NextRoute): z.input<typeof place> {
  return { champion, previous, challenger, share, experiment: experimentId };
}
