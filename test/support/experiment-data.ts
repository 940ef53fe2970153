import { createHash, randomUUID } from 'node:crypto';
import type { Db } from '../../src/db/index.js';
import { FALLBACK_TAG } from '../../src/interactions/index.js';
import { digestOf, type PolicyDocument, parsePolicy } from '../../src/policy/index.js';
import { changeRoute } from '../../src/routing/index.js';

const START = Date.parse('2026-11-20T12:00:00Z');
/** Seconds after the start of the experiments of a test. */
export const at = (seconds: number) => new Date(START + seconds * 1_000);

/** A policy with minutes instead of days: looks after 60, 120 and 180 s, 10 s for feedback, 40 outcomes of 10 subjects. */
export function quickPolicy(name: string, changes: Partial<PolicyDocument> = {}): PolicyDocument {
  return {
    name,
    base_model: 'tiny',
    upstream: { base_url: 'http://127.0.0.1:9', model: 'tiny' },
    sandbox: true,
    experiment: {
      share: 0.5,
      min_duration: '60s',
      max_duration: '180s',
      look_every: '60s',
      feedback_window: '10s',
      min_samples_per_arm: 40,
      min_subjects_per_arm: 10,
      guardrails: [{ metric: 'error_rate', margin: 0.2 }],
    },
    promotion: { bake: '60s', holdback: 0.2, max_degradation: 0.01 },
    ...changes,
  } as PolicyDocument;
}

/** A model with versions 1 (champion, a base) to `versions` (adapters, registered candidates) and a route at epoch 1. */
export async function seedModel(
  db: Db,
  options: { model?: string; versions?: number; policy?: Partial<PolicyDocument> } = {},
): Promise<string> {
  const { model = `m-${randomUUID().slice(0, 8)}`, versions = 2 } = options;
  const document = quickPolicy(model, options.policy);
  const policyDigest = digestOf(parsePolicy(document));
  await db.prisma.model.create({ data: { name: model, policy: document as object, policyDigest, sandbox: true } });
  for (let version = 1; version <= versions; version++) await seedVersion(db, model, version);
  await changeRoute(db, {
    model,
    expectedEpoch: 0,
    next: { champion: 1, previous: null, challenger: null, share: null, experimentId: null },
    action: 'create',
    actor: 'test',
    reason: 'seed',
    evidence: {},
  });
  return model;
}

export async function seedVersion(db: Db, model: string, version: number): Promise<void> {
  const adapter =
    version === 1 ? {} : { adapterUri: `artifact:adapters/${version}`, adapterSha256: 'ab'.repeat(32), adapterRank: 4 };
  await db.prisma.version.create({
    data: {
      model,
      version,
      label: `1.${version}.0`,
      kind: version === 1 ? 'base' : 'adapter',
      state: 'candidate',
      servedAs: version === 1 ? 'tiny' : `${model}-v${version}`,
      baseModel: 'tiny',
      sandbox: true,
      ...adapter,
    },
  });
}

/** A live cycle of a model under the policy the model has; the ids are its workflow's. */
export async function seedCycle(db: Db, model: string, startedAt = new Date('2026-11-20T00:00:00Z')): Promise<string> {
  const { policy, policyDigest, sandbox } = await db.prisma.model.findUniqueOrThrow({ where: { name: model } });
  const runId = randomUUID();
  const { id } = await db.prisma.cycle.create({
    data: {
      id: randomUUID(),
      model,
      workflowId: `retraining-cycle-${model}`,
      runId,
      originalRunId: runId,
      trigger: 'test',
      phase: 'experimenting',
      policy: policy as object,
      policyDigest,
      sandbox,
      championBefore: 1,
      startedAt,
    },
  });
  return id;
}

/** The stored form of a subject. */
export function subjectOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

export interface SeededInteraction {
  id?: string;
  model: string;
  experimentId?: string | null;
  arm?: 'champion' | 'challenger' | 'holdback' | null;
  subject?: string | null;
  askedAt: Date;
  receivedAt?: Date;
  assignedVersion?: number | null;
  version?: number | null;
  status?: 'complete' | 'incomplete' | 'failed';
  answer?: string;
  latencyMs?: number | null;
  /** Prompt and completion. */
  tokens?: [number, number];
  /** The champion answered because the arm's version could not. */
  fallBack?: boolean;
}

export interface SeededFeedback {
  id?: string;
  interactionId: string;
  kind: string;
  body: object;
  /** `user` unless given. */
  source?: string;
  receivedAt: Date;
  retractedAt?: Date | null;
}

export interface SeededExposure {
  experimentId: string;
  subject: string;
  arm: 'champion' | 'challenger' | 'holdback';
  version?: number;
  exposedAt: Date;
}

/** A UUIDv7 of an instant. */
export function uuid7(at: Date): string {
  const time = at.getTime().toString(16).padStart(12, '0');
  const random = randomUUID();
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}

export async function insertInteractions(db: Db, rows: SeededInteraction[]): Promise<string[]> {
  const filled = rows.map((row) => ({ ...row, id: row.id ?? uuid7(row.askedAt) }));
  await db.pool.query(
    `INSERT INTO interactions (id, model, asked_at, received_at, subject, experiment_id, arm, assigned_version, version, status,
                               request, response, latency_ms, prompt_tokens, completion_tokens, tags, digest)
     SELECT id, model, asked_at, received_at, subject, experiment_id, arm, assigned_version, version, status, '{}', response,
            latency_ms, prompt_tokens, completion_tokens, tags, ''
       FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, model text, asked_at timestamptz, received_at timestamptz, subject text,
         experiment_id uuid, arm text, assigned_version integer, version integer, status text, response jsonb, latency_ms integer, prompt_tokens integer, completion_tokens integer, tags jsonb)`,
    [
      JSON.stringify(
        filled.map((row) => ({
          id: row.id,
          model: row.model,
          asked_at: row.askedAt,
          received_at: row.receivedAt ?? row.askedAt,
          subject: row.subject ?? null,
          experiment_id: row.experimentId ?? null,
          arm: row.arm ?? null,
          assigned_version: row.assignedVersion ?? null,
          version: row.version === undefined ? (row.assignedVersion ?? null) : row.version,
          status: row.status ?? 'complete',
          latency_ms: row.latencyMs ?? null,
          prompt_tokens: row.tokens?.[0] ?? null,
          completion_tokens: row.tokens?.[1] ?? null,
          tags: row.fallBack ? { [FALLBACK_TAG]: 'true' } : {},
          response: { choices: [{ index: 0, message: { role: 'assistant', content: row.answer ?? 'an answer' } }] },
        })),
      ),
    ],
  );
  return filled.map(({ id }) => id);
}

export async function insertFeedback(db: Db, rows: SeededFeedback[]): Promise<void> {
  await db.pool.query(
    `INSERT INTO feedback (id, interaction_id, kind, body, source, given_at, received_at, retracted_at, digest)
     SELECT id, interaction_id, kind, body, source, received_at, received_at, retracted_at, ''
       FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, interaction_id uuid, kind text, body jsonb, source text, received_at timestamptz,
         retracted_at timestamptz)`,
    [
      JSON.stringify(
        rows.map((row) => ({
          id: row.id ?? uuid7(row.receivedAt),
          interaction_id: row.interactionId,
          kind: row.kind,
          body: row.body,
          source: row.source ?? 'user',
          received_at: row.receivedAt,
          retracted_at: row.retractedAt ?? null,
        })),
      ),
    ],
  );
}

export async function insertExposures(db: Db, rows: SeededExposure[]): Promise<void> {
  await db.pool.query(
    `INSERT INTO exposures (experiment_id, subject, arm, version, exposed_at)
     SELECT * FROM jsonb_to_recordset($1::jsonb) AS r (experiment_id uuid, subject text, arm text, version integer, exposed_at timestamptz)`,
    [
      JSON.stringify(
        rows.map((row) => ({
          experiment_id: row.experimentId,
          subject: row.subject,
          arm: row.arm,
          version: row.version ?? 1,
          exposed_at: row.exposedAt,
        })),
      ),
    ],
  );
}

/**
 * Traffic of one arm: `subjects` people asking `each` questions a second apart from `from` on, all rated with thumbs at
 * once; the first `positives` of all are thumbs up, the first `failed` were fall-backs.
 */
export async function fillArm(
  db: Db,
  arm: {
    model: string;
    experimentId: string;
    arm: 'champion' | 'challenger' | 'holdback';
    version: number;
    subjects: number;
    each?: number;
    positives: number;
    failed?: number;
    /** Of the i-th request. */
    latencyMs?: (i: number) => number | null;
    from: Date;
  },
): Promise<void> {
  const { model, experimentId, version, subjects, each = 5, positives, failed = 0, from } = arm;
  const exposures: SeededExposure[] = [];
  const interactions: SeededInteraction[] = [];
  const feedback: SeededFeedback[] = [];
  for (let i = 0; i < subjects * each; i++) {
    const person = i % subjects;
    const subject = subjectOf(`${experimentId}/${arm.arm}/${person}`);
    const askedAt = new Date(from.getTime() + Math.floor(i / subjects) * 1_000);
    if (i < subjects) exposures.push({ experimentId, subject, arm: arm.arm, version, exposedAt: from });
    const id = uuid7(askedAt);
    interactions.push({
      id,
      model,
      experimentId,
      arm: arm.arm,
      subject,
      askedAt,
      assignedVersion: version,
      fallBack: i < failed,
      latencyMs: arm.latencyMs?.(i) ?? null,
    });
    feedback.push({ interactionId: id, kind: 'thumbs', body: { value: i < positives ? 1 : -1 }, receivedAt: askedAt });
  }
  await insertExposures(db, exposures);
  await insertInteractions(db, interactions);
  await insertFeedback(db, feedback);
}

/** Every route change of a model, oldest first. */
export async function routeChanges(db: Db, model: string) {
  return db.prisma.routeChange.findMany({ where: { model }, orderBy: { epoch: 'asc' } });
}
