import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ArtifactStore, createLocalStore } from '../../src/artifacts/index.js';
import { openCycle } from '../../src/cycles/index.js';
import { createDb, type Db } from '../../src/db/index.js';
import { applyModel } from '../../src/registry/index.js';
import { createTestDatabase } from './database.js';

export interface Stage {
  db: Db;
  /** Root folder of the artifact store. */
  root: string;
  store: ArtifactStore;
  close(): Promise<void>;
}

/** A database, an artifact store, and nothing in either. */
export async function openStage(): Promise<Stage> {
  const database = await createTestDatabase();
  const db = createDb(database.url);
  const root = await mkdtemp(join(tmpdir(), 'understudy-artifacts-'));
  return {
    db,
    root,
    store: createLocalStore(root),
    async close() {
      await db.close();
      await database.drop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export const noSecrets = () => undefined;

/** Ids in tests are words; the database wants the hash of a subject. */
export const subjectHash = (name: string) => createHash('sha256').update(name).digest('hex');

/** Applies a sandbox policy for `name`; `sections` are laid over it. */
export async function seedModel(db: Db, name: string, sections: Record<string, unknown> = {}): Promise<void> {
  await applyModel(db, policyDocument(name, sections), { actor: 'test' });
}

export function policyDocument(name: string, sections: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name,
    base_model: 'tiny/base',
    sandbox: true,
    upstream: { base_url: 'http://127.0.0.1:9/v1', model: 'base' },
    triggers: { min_new_examples: 1 },
    experiment: { min_duration: '2m', max_duration: '10m', look_every: '1m', feedback_window: '10s' },
    ...sections,
  };
}

let runs = 0;

/** Opens a cycle, after ending the model's live one. */
export async function seedCycle(
  db: Db,
  model: string,
  asOf: Date,
  overrides: Record<string, unknown> = {},
): Promise<string> {
  await db.pool.query("UPDATE cycles SET ended_at = $2, outcome = 'failed' WHERE model = $1 AND ended_at IS NULL", [
    model,
    asOf,
  ]);
  runs += 1;
  const runId = randomUUID();
  const opened = await openCycle(db, {
    model,
    workflowId: `retraining-cycle-${model}`,
    runId,
    originalRunId: runId,
    trigger: 'test',
    overrides,
    asOf: new Date(asOf.getTime() + runs),
  });
  if (!opened.opened) throw new Error('a cycle is already running');
  return opened.cycleId;
}

export interface SeededInteraction {
  model: string;
  askedAt: Date;
  question?: string;
  answer?: string | null;
  subject?: string | null;
  version?: number | null;
  status?: 'complete' | 'incomplete' | 'failed';
  request?: unknown;
  response?: unknown;
  /** Oldest first; received one second after each other, the first one second after the question. */
  feedback?: Record<string, unknown>[];
}

/** Stores an interaction with its feedback as capture would, and answers its id. */
export async function seedInteraction(db: Db, given: SeededInteraction): Promise<string> {
  const {
    model,
    askedAt,
    question = `question ${randomUUID()}`,
    answer = 'an answer',
    subject = null,
    version = 1,
  } = given;
  const id = uuid7(askedAt);
  const request = given.request ?? { messages: [{ role: 'user', content: question }] };
  const response = given.response ?? {
    choices: [{ index: 0, message: { role: 'assistant', content: answer }, finish_reason: 'stop' }],
  };
  await db.pool.query(
    `INSERT INTO interactions (id, model, asked_at, received_at, subject, version, assigned_version, status, request, response, digest)
     VALUES ($1, $2, $3, $3, $4, $5, $5, $6, $7, $8, '\\x00')`,
    [
      id,
      model,
      askedAt,
      subject === null ? null : subjectHash(subject),
      version,
      given.status ?? 'complete',
      request,
      response,
    ],
  );
  for (const [i, feedback] of (given.feedback ?? []).entries()) {
    await seedFeedback(db, id, feedback, new Date(askedAt.getTime() + 1_000 * (i + 1)));
  }
  return id;
}

export async function seedFeedback(
  db: Db,
  interactionId: string,
  { kind, choice_index: choice = 0, ...body }: Record<string, unknown>,
  receivedAt: Date,
): Promise<string> {
  const id = uuid7(receivedAt);
  await db.pool.query(
    `INSERT INTO feedback (id, interaction_id, kind, body, choice_index, source, given_at, received_at, digest)
     VALUES ($1, $2, $3, $4, $5, 'user', $6, $6, '\\x00')`,
    [id, interactionId, kind, body, choice, receivedAt],
  );
  return id;
}

export const thumbsUp = { kind: 'thumbs', value: 1 };
export const thumbsDown = { kind: 'thumbs', value: -1 };
export const correction = (value: string) => ({ kind: 'correction', value });

export function uuid7(at: Date): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(at.getTime(), 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
