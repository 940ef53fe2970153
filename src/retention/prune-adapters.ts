import type { ArtifactStore } from '../artifacts/index.js';
import type { Db } from '../db/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';
import { digestOf, formatDuration, type Policy, parsePolicy } from '../policy/index.js';
import { type FilesFate, markDropped, removeFiles, whyKept } from './drop-adapter.js';
import { judgeAdapters } from './judge-adapters.js';
import { type KeptAdapter, readKeptAdapters } from './last-used.js';
import { whyNeeded } from './why-needed.js';

export interface PrunedAdapter {
  model: string;
  version: number;
  label: string;
  adapter: string;
  last_used: string;
  /** Null: the files are not there. */
  bytes: number | null;
  /** `kept` in a dry run, when they would go. */
  files: FilesFate | 'kept' | 'failed';
}

/** What a pass did, or in a dry run would do. */
export interface Pruned {
  dry_run: boolean;
  dropped: PrunedAdapter[];
  /** What stays, with the reason. */
  kept: { model: string; version: number; label: string; why: string }[];
  /** Files of adapters that were dropped earlier and are deleted only now. */
  swept: string[];
  /** What could not be done; the next pass tries again. */
  failed: { model: string; version: number | null; detail: string }[];
}

export interface PruneRequest {
  /** All models when absent. */
  model?: string | undefined;
  dryRun: boolean;
  actor: string;
  asOf: Date;
}

/**
 * Drops the adapters that the `retention` of each model's policy allows to drop: neither needed by anything, nor among the
 * newest, nor in use lately. First the mark and its record are committed, then the files are deleted, unless another version
 * has the same; what a crash leaves undeleted is found by the next pass. Throws `unknown_model`.
 */
export async function pruneAdapters(db: Db, store: ArtifactStore, request: PruneRequest): Promise<Pruned> {
  const { model, dryRun } = request;
  const models = await db.prisma.model.findMany({ where: { ...(model && { name: model }) }, orderBy: { name: 'asc' } });
  if (model !== undefined && models.length === 0) throw new UnderstudyError('unknown_model', { model });
  const done: Pruned = { dry_run: dryRun, dropped: [], kept: [], swept: [], failed: [] };
  for (const { name, policy } of models) {
    try {
      await pruneModel(db, store, parsePolicy(policy), request, done);
    } catch (error) {
      done.failed.push({ model: name, version: null, detail: errorDetail(error) });
    }
  }
  if (!dryRun) await sweep(db, store, model, done);
  return done;
}

async function pruneModel(
  db: Db,
  store: ArtifactStore,
  policy: Policy,
  { dryRun, actor, asOf }: PruneRequest,
  done: Pruned,
): Promise<void> {
  const { name: model } = policy;
  const rule = policy.retention.adapters;
  if (rule === null) return;
  const needed = await whyNeeded(db, model, asOf);
  const reason = `neither among the newest ${rule.keep} nor used within ${formatDuration(rule.for)}`;
  for (const [row, why] of judgeAdapters(await readKeptAdapters(db, model), rule, needed, asOf)) {
    const { version, label, uri } = row;
    if (why !== null) {
      done.kept.push({ model, version, label, why });
      continue;
    }
    try {
      const bytes = await store.bytesOf(uri);
      const facts = { model, version, label, adapter: uri, last_used: row.lastUsed.toISOString(), bytes };
      if (dryRun) {
        done.dropped.push({ ...facts, files: (await whyKept(db, uri, { model, version })) ?? 'kept' });
        continue;
      }
      const drop = { model, version, actor, reason, policyDigest: digestOf(policy), asOf };
      const marked = await markDropped(db, drop);
      if (!marked.dropped) done.kept.push({ model, version, label, why: marked.why ?? 'needed' });
      else done.dropped.push({ ...facts, files: await removeOrSay(db, store, row, model, done) });
    } catch (error) {
      done.failed.push({ model, version, detail: errorDetail(error) });
    }
  }
}

async function removeOrSay(
  db: Db,
  store: ArtifactStore,
  { uri, version }: KeptAdapter,
  model: string,
  done: Pruned,
): Promise<PrunedAdapter['files']> {
  try {
    return await removeFiles(db, store, uri);
  } catch (error) {
    done.failed.push({ model, version, detail: errorDetail(error) });
    return 'failed';
  }
}

/** Deletes what was dropped earlier and is still there: a process died in between, or another version needed it until now. */
async function sweep(db: Db, store: ArtifactStore, model: string | undefined, done: Pruned): Promise<void> {
  const drops = await db.prisma.adapterDrop.findMany({
    where: { ...(model && { model }) },
    distinct: ['adapterUri'],
    orderBy: { droppedAt: 'asc' },
  });
  for (const { adapterUri, model: of, version } of drops) {
    try {
      if ((await store.bytesOf(adapterUri)) === null) continue;
      if ((await removeFiles(db, store, adapterUri)) === 'removed') done.swept.push(adapterUri);
    } catch (error) {
      done.failed.push({ model: of, version, detail: errorDetail(error) });
    }
  }
}
