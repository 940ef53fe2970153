import type { Db, Prisma, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { digestOf, type Policy, parsePolicy } from '../policy/index.js';
import { changeRoute } from '../routing/index.js';
import { diffPolicies, type PolicyChange } from './policy-diff.js';

export interface AppliedModel {
  result: 'created' | 'updated' | 'unchanged';
  /** What an update changed; empty otherwise. */
  diff: PolicyChange[];
  policy: Policy;
}

/**
 * Creates a model from its policy document, or changes its policy. A new model gets its base as version 1 and champion.
 * What runs already keeps the policy it froze. Repeating it changes nothing; an interrupted creation is completed.
 *
 * Throws what `parsePolicy` throws, `policy_sandbox_locked`, and `invalid_policy` for another base_model: the versions of
 * a model are compared with each other on one base.
 */
export async function applyModel(db: Db, document: unknown, { actor }: { actor: string }): Promise<AppliedModel> {
  const policy = parsePolicy(document);
  const applied = await db.prisma.$transaction((tx) => store(tx, document, policy));
  await changeRoute(db, {
    model: policy.name,
    expectedEpoch: 0,
    next: { champion: 1, previous: null, challenger: null, share: null, experimentId: null },
    action: 'create',
    actor,
    reason: 'model created; its base answers',
    evidence: { policy_digest: digestOf(policy), base_model: policy.base_model },
  });
  return applied;
}

async function store(tx: Tx, document: unknown, policy: Policy): Promise<AppliedModel> {
  const { name, sandbox } = policy;
  const row = { policy: document as Prisma.InputJsonObject, policyDigest: digestOf(policy) };
  const created = await tx.model.createMany({ data: { name, sandbox, ...row }, skipDuplicates: true });
  if (created.count === 1) {
    await createBase(tx, policy);
    return { result: 'created', diff: [], policy };
  }
  // One change at a time, without holding up rows that refer to the model.
  await tx.$queryRaw`SELECT 1 FROM models WHERE name = ${name} FOR NO KEY UPDATE`;
  const stored = await tx.model.findUniqueOrThrow({ where: { name } });
  if (stored.sandbox !== sandbox) throw new UnderstudyError('policy_sandbox_locked', { model: name });
  const before = readStored(stored.policy);
  if (before.base_model !== policy.base_model) {
    throw new UnderstudyError('invalid_policy', {
      detail: `base_model of "${name}" is ${before.base_model} and cannot become ${policy.base_model}: its versions are compared on one base. Apply the policy under another name.`,
    });
  }
  const diff = diffPolicies(before, policy);
  if (diff.length === 0) return { result: 'unchanged', diff, policy };
  await tx.model.update({ where: { name }, data: { ...row, updatedAt: new Date() } });
  return { result: 'updated', diff, policy };
}

/**
 * The policy as it is stored. One that another release took and this one does not understand is shown as it was written:
 * it must not stand in the way of the one that is to replace it.
 */
function readStored(document: unknown): Policy {
  try {
    return parsePolicy(document);
  } catch {
    return document as Policy;
  }
}

async function createBase(tx: Tx, policy: Policy): Promise<void> {
  await tx.version.create({
    data: {
      model: policy.name,
      version: 1,
      label: '1.0.0',
      kind: 'base',
      state: 'candidate',
      servedAs: policy.upstream.model,
      baseModel: policy.base_model,
      sandbox: policy.sandbox,
    },
  });
}
