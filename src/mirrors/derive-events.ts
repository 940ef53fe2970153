import { v5 as uuidv5 } from 'uuid';
import type { Db, Prisma, Tx } from '../db/index.js';
import type { Policy } from '../policy/index.js';
import type { NextRoute, RouteAction } from '../routing/index.js';
import { type EventBody, type EventKind, type EventVersion, mirrorsOf } from './event.js';

/** A cycle that waits for an operator. */
export interface ParkedCycle {
  model: string;
  workflowId: string;
  runId: string;
  step: string;
  /** At most 200 characters. */
  problem: string;
  since: string;
}

type Found = Pick<EventBody, 'change' | 'cycle' | 'operator'> & {
  kind: EventKind;
  key: string;
  at: Date;
  route: NextRoute & { epoch: number };
};

const KINDS: Partial<Record<RouteAction, EventKind>> = { promote: 'promoted', rollback: 'rolled_back' };
/** In one transaction; what is left comes with the next pass. */
const MOST = 200;

/**
 * Makes events of what happened to a model since the last time, each once, with a delivery for each mirror that wants it.
 * Route changes are read by their epochs, which have no gaps; cycles by having ended without an event; who waits for
 * an operator is told by the caller. Nobody who moves a route waits for this. Answers the number of new events.
 */
export async function deriveEvents(
  db: Pick<Db, 'prisma'>,
  policy: Policy,
  { parked, now }: { parked: readonly ParkedCycle[]; now: Date },
): Promise<number> {
  return db.prisma.$transaction((tx) => deriveIn(tx, policy, parked, now), { maxWait: 10_000, timeout: 30_000 });
}

async function deriveIn(tx: Tx, policy: Policy, parked: readonly ParkedCycle[], now: Date): Promise<number> {
  const { name: model } = policy;
  const route = await tx.route.findUnique({ where: { model } });
  if (route === null) return 0;
  await startCursor(tx, model);
  const [cursor] = await tx.$queryRaw<{ epoch: number; since: Date }[]>`
    SELECT epoch, since FROM mirror_cursors WHERE model = ${model} FOR UPDATE`;
  const changes = await tx.routeChange.findMany({
    where: { model, epoch: { gt: cursor!.epoch } },
    orderBy: { epoch: 'asc' },
    take: MOST,
  });
  const present = { ...route, epoch: route.epoch };
  const found: Found[] = [
    ...changes.map(changeEvent),
    ...(await endedCycles(tx, model, cursor!.since, present)),
    ...parked.filter((cycle) => cycle.model === model).map((cycle) => parkedEvent(cycle, present)),
  ];
  if (found.length === 0) found.push(...(await newRegistry(tx, policy, present, now)));
  let made = 0;
  for (const event of found) made += await store(tx, policy, event, now);
  const last = changes.at(-1);
  if (last !== undefined) await tx.mirrorCursor.update({ where: { model }, data: { epoch: last.epoch } });
  return made;
}

/** What happened before the policy was applied that first names a mirror is not told. */
async function startCursor(tx: Tx, model: string): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO mirror_cursors (model, epoch, since)
    SELECT m.name, coalesce((SELECT max(epoch) FROM route_changes c WHERE c.model = m.name AND c.created_at <= m.updated_at), 0),
           m.updated_at
      FROM models m WHERE m.name = ${model}
    ON CONFLICT DO NOTHING`;
}

type ChangeRow = Awaited<ReturnType<Tx['routeChange']['findFirstOrThrow']>>;

function changeEvent(row: ChangeRow): Found {
  const [before, after] = [row.before as unknown as NextRoute | null, row.after as unknown as NextRoute];
  return {
    kind: KINDS[row.action as RouteAction] ?? 'route_changed',
    key: `route:${row.model}:${row.epoch}`,
    at: row.createdAt,
    route: { ...after, epoch: row.epoch },
    change: {
      action: row.action,
      actor: row.actor,
      reason: row.reason,
      forced: row.forced,
      champion_before: before?.champion ?? null,
      evidence: row.evidence,
    },
    cycle: null,
    operator: null,
  };
}

async function endedCycles(tx: Tx, model: string, since: Date, route: Found['route']): Promise<Found[]> {
  const rows = await tx.$queryRaw<{ id: string; key: string }[]>`
    SELECT id, key FROM (
      SELECT c.id, c.ended_at, 'cycle:' || c.id || ':' || floor(extract(epoch FROM c.ended_at) * 1000)::bigint AS key
        FROM cycles c WHERE c.model = ${model} AND c.ended_at >= ${since}) ended
     WHERE NOT EXISTS (SELECT 1 FROM mirror_events e WHERE e.key = ended.key) ORDER BY ended_at LIMIT ${MOST}`;
  const found: Found[] = [];
  for (const { id, key } of rows) {
    const row = await tx.cycle.findUniqueOrThrow({ where: { id } });
    const cycle = {
      id,
      outcome: row.outcome,
      reason: row.reason,
      candidate: await describeVersion(tx, model, row.candidate),
      started_at: row.startedAt.toISOString(),
      ended_at: row.endedAt?.toISOString() ?? null,
    };
    const event = { at: row.endedAt!, route, change: null, cycle, operator: null };
    if (row.outcome === 'rejected') found.push({ ...event, kind: 'rejected', key: `${key}:rejected` });
    found.push({ ...event, kind: 'cycle_ended', key });
  }
  return found;
}

function parkedEvent({ workflowId, runId, step, problem, since }: ParkedCycle, route: Found['route']): Found {
  return {
    kind: 'needs_operator',
    key: `parked:${workflowId}:${runId}:${since}`,
    at: new Date(since),
    route,
    change: null,
    cycle: null,
    operator: { workflow: workflowId, step, problem: problem.slice(0, 200), since },
  };
}

/** A registry that has never been told anything gets everything there is; any other event does that as well. */
async function newRegistry(tx: Tx, policy: Policy, route: Found['route'], now: Date): Promise<Found[]> {
  const { name: model, mirrors } = policy;
  if (mirrors.mlflow === null) return [];
  if ((await tx.mirrorDelivery.count({ where: { model, mirror: 'mlflow' } })) > 0) return [];
  const key = `added:${model}:mlflow`;
  return [{ kind: 'mirror_added', key, at: now, route, change: null, cycle: null, operator: null }];
}

async function store(tx: Tx, policy: Policy, event: Found, now: Date): Promise<number> {
  const { name: model } = policy;
  const { kind, key, at } = event;
  const id = uuidv5(`understudy:mirror-event/${key}`, uuidv5.URL);
  if ((await tx.mirrorEvent.count({ where: { id } })) > 0) return 0;
  const { epoch, champion, previous, challenger, share, experimentId } = event.route;
  const body: EventBody = {
    id,
    type: kind,
    model,
    sandbox: policy.sandbox,
    at: at.toISOString(),
    route: {
      epoch,
      champion: (await describeVersion(tx, model, champion))!,
      previous: await describeVersion(tx, model, previous),
      challenger: await describeVersion(tx, model, challenger),
      share,
      experiment: experimentId,
    },
    change: event.change,
    cycle: event.cycle,
    operator: event.operator,
  };
  await tx.mirrorEvent.create({
    data: { id, model, kind, key, body: body as unknown as Prisma.InputJsonObject, createdAt: now },
  });
  const wanted = [...mirrorsOf(policy)].filter(([, wants]) => wants(kind));
  await tx.mirrorDelivery.createMany({
    data: wanted.map(([mirror]) => ({ eventId: id, model, mirror, state: 'waiting', nextAt: now })),
  });
  return 1;
}

async function describeVersion(tx: Tx, model: string, version: number | null): Promise<EventVersion | null> {
  if (version === null) return null;
  const row = await tx.version.findUniqueOrThrow({ where: { model_version: { model, version } } });
  const dataset = row.datasetId === null ? null : await tx.dataset.findUnique({ where: { id: row.datasetId } });
  const cycle = row.cycleId === null ? null : await tx.cycle.findUnique({ where: { id: row.cycleId } });
  return {
    version,
    label: row.label,
    kind: row.kind,
    state: row.state,
    served_as: row.servedAs,
    base_model: row.baseModel,
    dataset_digest: dataset?.digest ?? null,
    policy_digest: cycle?.policyDigest ?? null,
  };
}
