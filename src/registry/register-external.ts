import type { Db, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import type { RegisteredVersion } from './register-version.js';
import { latestLabelled, nextLabel } from './version-label.js';

/** A version that was made elsewhere. */
export type ExternalSource =
  /** An adapter in the artifact store, for the base of the model. */
  | { kind: 'adapter'; uri: string; sha256: string; baseModel: string; rank: number }
  /** Whatever answers under this id at the policy's upstream: another base, a prompt, somebody else's model. Unchecked. */
  | { kind: 'remote'; servedAs: string; baseModel?: string | undefined };

/**
 * Makes something that was made elsewhere the next version of a model, in state candidate. It answers nobody: a cycle with it
 * as `candidate` takes it through the same gate as any other. An adapter that is a version already is answered as that one,
 * and so is a remote id, unless it was rejected: what answers under an id may have changed since.
 * Throws `unknown_model`, `adapter_base_mismatch`, and `conflict` for an id that the base of the model has.
 */
export async function registerExternal(
  db: Db,
  input: { model: string; source: ExternalSource; actor: string; reason: string },
): Promise<RegisteredVersion & { known: boolean }> {
  return db.prisma.$transaction((tx) => registerIn(tx, input));
}

async function registerIn(tx: Tx, { model, source, actor, reason }: Parameters<typeof registerExternal>[1]) {
  // One registration at a time for a model, so that its numbers have no gap and no number is given twice.
  await tx.$queryRaw`SELECT 1 FROM models WHERE name = ${model} FOR NO KEY UPDATE`;
  const stored = await tx.model.findUnique({ where: { name: model } });
  if (stored === null) throw new UnderstudyError('unknown_model', { model });
  const policy = parsePolicy(stored.policy);
  check(source, policy);
  const versions = await tx.version.findMany({ where: { model }, orderBy: { version: 'asc' } });
  const known = versions.findLast((row) => isSame(row, source));
  if (known !== undefined) return { ...nameOf(known), known: true };

  const version = versions.at(-1)!.version + 1;
  const baseModel = source.baseModel ?? (source.kind === 'remote' ? source.servedAs : policy.base_model);
  const before = latestLabelled(versions);
  // How it was made is not known: never just newer data, so never a patch.
  const label = nextLabel(before && { ...before, policy: null }, { baseModel, policy });
  const row = await tx.version.create({
    data: {
      ...{ model, version, label, kind: source.kind, state: 'candidate', baseModel, sandbox: stored.sandbox },
      servedAs: source.kind === 'remote' ? source.servedAs : `${model}-v${version}`,
      ...(source.kind === 'adapter' && {
        ...{ adapterUri: source.uri, adapterSha256: source.sha256, adapterRank: source.rank },
      }),
      ...{ registeredBy: actor.slice(0, 200), registeredReason: reason.slice(0, 200) },
    },
  });
  return { ...nameOf(row), known: false };
}

function check(source: ExternalSource, { name, base_model, upstream }: Policy): void {
  if (source.kind === 'adapter' && source.baseModel !== base_model) {
    throw new UnderstudyError('adapter_base_mismatch', {
      actual: source.baseModel.slice(0, 200),
      expected: base_model,
    });
  }
  if (source.kind === 'remote' && source.servedAs === upstream.model) {
    throw new UnderstudyError('conflict', {
      detail: `"${source.servedAs}" is what version 1 of "${name}" answers with.`,
    });
  }
}

interface Row {
  version: number;
  label: string;
  kind: string;
  state: string;
  servedAs: string;
  adapterSha256: string | null;
  adapterDroppedAt: Date | null;
}

function isSame(row: Row, source: ExternalSource): boolean {
  if (row.kind !== source.kind) return false;
  return source.kind === 'adapter'
    ? row.adapterSha256 === source.sha256 && row.adapterDroppedAt === null
    : row.servedAs === source.servedAs && row.state !== 'rejected';
}

function nameOf({ version, label, servedAs }: Row): RegisteredVersion {
  return { version, label, servedAs };
}
