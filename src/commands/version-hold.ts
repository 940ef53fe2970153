import { holdAdapter, releaseAdapter } from '../retention/index.js';
import { show } from './output.js';
import { versionReference } from './version-reference.js';
import { withDb } from './with-db.js';

interface Options {
  reason: string;
  actor: string;
  json?: boolean;
}

/** Puts a version under legal hold. */
export async function versionHold(reference: string, { reason, actor, json }: Options): Promise<void> {
  const { model, version } = versionReference(reference);
  const hold = await withDb((db) => holdAdapter(db, { model, version, actor, reason }));
  show(
    json ?? false,
    { model, version, ...hold },
    () => `${model}@${version} is under hold ${hold.id}: its adapter is dropped by nobody until it is released.`,
  );
}

/** Ends a legal hold. */
export async function versionRelease(
  reference: string,
  { reason, actor, hold, json }: Options & { hold?: string },
): Promise<void> {
  const { model, version } = versionReference(reference);
  const { released, left } = await withDb((db) => releaseAdapter(db, { model, version, actor, reason, hold }));
  show(json ?? false, { model, version, released, left }, () =>
    left.length === 0
      ? `${model}@${version} is under no hold any more.`
      : `${model}@${version}: hold ${released.id} is released; still under ${left.map(({ id }) => id).join(', ')}.`,
  );
}
