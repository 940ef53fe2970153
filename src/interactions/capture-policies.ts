import type { Db } from '../db/index.js';
import { type CapturePolicy, capturePolicySchema } from '../policy/index.js';

const FRESH_MS = 1_000;

/** What capture goes by, of all models. */
export interface CapturePolicies {
  /** Of a model; of one that is not there, what is careful. */
  of(model: string): CapturePolicy;
  /** Whether any model redacts at capture. */
  readonly anyRedacts: boolean;
}

interface Known {
  policies: CapturePolicies;
  byModel: ReadonlyMap<string, CapturePolicy>;
  readAt: number;
}

/** Of a policy that is not known or that this program does not understand: this may be what it asks for. */
const CAREFUL = capturePolicySchema.parse({ capture: { redact_at: 'capture' } });

const known = new WeakMap<object, Known>();
const reading = new WeakMap<object, Promise<Known>>();

/**
 * The policies as of at most a second ago, so that capture does not ask for them with every batch; at once anew when a
 * model is named that was not there then.
 *
 * @throws errors of the database when it is away and they are older
 */
export async function capturePolicies(db: Pick<Db, 'pool'>, models: Iterable<string> = []): Promise<CapturePolicies> {
  const entry = known.get(db.pool);
  if (entry !== undefined && performance.now() - entry.readAt < FRESH_MS) {
    let complete = true;
    for (const model of models) complete &&= entry.byModel.has(model);
    if (complete) return entry.policies;
  }
  let pending = reading.get(db.pool);
  if (pending === undefined) {
    pending = read(db).finally(() => reading.delete(db.pool));
    reading.set(db.pool, pending);
  }
  return (await pending).policies;
}

async function read(db: Pick<Db, 'pool'>): Promise<Known> {
  const readAt = performance.now();
  const { rows } = await db.pool.query<{ name: string; capture: unknown; feedback: unknown }>({
    name: 'understudy-capture-policies',
    text: `SELECT name, policy->'capture' AS capture, policy->'feedback' AS feedback FROM models`,
  });
  const byModel = new Map<string, CapturePolicy>();
  for (const { name, capture, feedback } of rows) {
    const parsed = capturePolicySchema.safeParse({ capture: capture ?? {}, feedback: feedback ?? {} });
    byModel.set(name, parsed.success ? parsed.data : CAREFUL);
  }
  const anyRedacts = [...byModel.values()].some(({ capture }) => capture.redact_at === 'capture');
  const policies = { of: (model: string) => byModel.get(model) ?? CAREFUL, anyRedacts };
  const entry = { policies, byModel, readAt };
  known.set(db.pool, entry);
  return entry;
}
