import type { Db } from '../db/index.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import type { VersionRow } from './version-row.js';

/** Where a version comes from. What is null was not recorded, because the version was not made here. */
export interface VersionLineage {
  cycle: {
    id: string;
    workflow_id: string;
    run_id: string;
    trigger: string;
    champion_before: number | null;
    outcome: string | null;
    reason: string | null;
    started_at: string;
    ended_at: string | null;
  } | null;
  /** SHA-256 of the policy it was made under, defaults filled in. */
  policy_digest: string | null;
  dataset: {
    id: string;
    digest: string | null;
    uri: string | null;
    state: string;
    considered: number;
    kept: number;
    train: number;
    validation: number;
    /** SHA-256 of the golden set whose questions were kept out of it. */
    golden_digest: string | null;
  } | null;
  training: {
    id: string;
    key: string;
    provider: string;
    job: string | null;
    submitted_at: string | null;
    finished_at: string | null;
  } | null;
}

/** What is recorded of how a version was made, and the policy behind it, null where there is none that can be read. */
export async function readLineage(
  { prisma }: Pick<Db, 'prisma'>,
  row: VersionRow,
): Promise<{ lineage: VersionLineage; policy: Policy | null }> {
  const by = (id: string | null) => ({ where: { id: id ?? '' } });
  const [cycle, dataset, run] = await Promise.all([
    row.cycleId === null ? null : prisma.cycle.findUnique(by(row.cycleId)),
    row.datasetId === null ? null : prisma.dataset.findUnique(by(row.datasetId)),
    row.trainingRunId === null ? null : prisma.trainingRun.findUnique(by(row.trainingRunId)),
  ]);
  const manifest = dataset?.manifest as { golden_digest?: string | null } | null | undefined;
  const lineage: VersionLineage = {
    cycle: cycle && {
      id: cycle.id,
      workflow_id: cycle.workflowId,
      run_id: cycle.runId,
      trigger: cycle.trigger,
      champion_before: cycle.championBefore,
      outcome: cycle.outcome,
      reason: cycle.reason,
      started_at: cycle.startedAt.toISOString(),
      ended_at: cycle.endedAt?.toISOString() ?? null,
    },
    policy_digest: cycle?.policyDigest ?? null,
    dataset: dataset && {
      id: dataset.id,
      digest: dataset.digest,
      uri: dataset.uri,
      state: dataset.state,
      considered: dataset.considered,
      kept: dataset.kept,
      train: dataset.train,
      validation: dataset.validation,
      golden_digest: manifest?.golden_digest ?? null,
    },
    training: run && {
      id: run.id,
      key: run.key,
      provider: run.provider,
      job: run.jobId,
      submitted_at: run.submittedAt?.toISOString() ?? null,
      finished_at: run.finishedAt?.toISOString() ?? null,
    },
  };
  return { lineage, policy: cycle === null ? null : readable(cycle.policy) };
}

function readable(document: unknown): Policy | null {
  try {
    return parsePolicy(document);
  } catch {
    return null;
  }
}
