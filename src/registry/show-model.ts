import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Route, readRoute } from '../routing/index.js';

const RECENT_CHANGES = 20;

export type VersionRole = 'champion' | 'previous' | 'challenger' | 'holdback';
export type ModelView = Awaited<ReturnType<typeof showModel>>;

/**
 * Everything about a model that an operator looks at first, in the words of the API: policy, route, versions with their
 * role, the live cycle and experiment, and the latest route changes, newest first. Throws `unknown_model`.
 */
export async function showModel(db: Db, name: string) {
  const { prisma } = db;
  const model = await prisma.model.findUnique({ where: { name } });
  if (model === null) throw new UnderstudyError('unknown_model', { model: name });
  const [route, versions, cycle, experiment, changes] = await Promise.all([
    readRoute(db, name),
    prisma.version.findMany({ where: { model: name }, orderBy: { version: 'asc' } }),
    prisma.cycle.findFirst({ where: { model: name, endedAt: null } }),
    prisma.experiment.findFirst({ where: { model: name, endedAt: null } }),
    prisma.routeChange.findMany({ where: { model: name }, orderBy: { epoch: 'desc' }, take: RECENT_CHANGES }),
  ]);
  return {
    name,
    policy: model.policy,
    policy_digest: model.policyDigest,
    sandbox: model.sandbox,
    created_at: model.createdAt,
    updated_at: model.updatedAt,
    route: {
      epoch: route.epoch,
      champion: route.champion,
      previous: route.previous,
      challenger: route.challenger,
      share: route.share,
      experiment: route.experimentId,
      valid_for_ms: route.validForMs,
    },
    versions: versions.map((version) => ({
      version: version.version,
      label: version.label,
      kind: version.kind,
      state: version.state,
      role: roleOf(version.version, route),
      served_as: version.servedAs,
      base_model: version.baseModel,
      adapter_uri: version.adapterUri,
      adapter_sha256: version.adapterSha256,
      dataset: version.datasetId,
      cycle: version.cycleId,
      metrics: version.metrics,
      sandbox: version.sandbox,
      created_at: version.createdAt,
      retired_at: version.retiredAt,
    })),
    cycle: cycle && {
      id: cycle.id,
      workflow_id: cycle.workflowId,
      run_id: cycle.runId,
      trigger: cycle.trigger,
      phase: cycle.phase,
      candidate: cycle.candidate,
      champion_before: cycle.championBefore,
      policy_digest: cycle.policyDigest,
      sandbox: cycle.sandbox,
      started_at: cycle.startedAt,
    },
    experiment: experiment && {
      id: experiment.id,
      kind: experiment.kind,
      champion: experiment.champion,
      challenger: experiment.challenger,
      share: experiment.share,
      started_at: experiment.startedAt,
      min_ends_at: experiment.minEndsAt,
      max_ends_at: experiment.maxEndsAt,
      sandbox: experiment.sandbox,
    },
    route_changes: changes.map((change) => ({
      epoch: change.epoch,
      action: change.action,
      before: change.before,
      after: change.after,
      actor: change.actor,
      reason: change.reason,
      evidence: change.evidence,
      forced: change.forced,
      created_at: change.createdAt,
    })),
  };
}

/** In a bake the previous champion is also the second arm, and called by that. */
function roleOf(version: number, route: Route): VersionRole | null {
  if (version === route.champion) return 'champion';
  if (version === route.challenger) return version === route.previous ? 'holdback' : 'challenger';
  return version === route.previous ? 'previous' : null;
}
