import type { Db } from '../../src/db/index.js';
import { changeRoute, type NextRoute, readRoute } from '../../src/routing/index.js';
import { writeTinyAdapter } from './tiny-adapter.js';

/** Registers an adapter version with real files, as if a cycle had made it. */
export async function seedAdapterVersion(
  db: Db,
  root: string,
  model: string,
  version: number,
  state = 'candidate',
  retiredAt: Date | null = null,
): Promise<string> {
  const adapter = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4, seed: `${model}/${version}` });
  const servedAs = `${model}-v${version}`;
  await db.prisma.version.create({
    data: {
      model,
      version,
      label: `1.0.${version}`,
      kind: 'adapter',
      state,
      servedAs,
      baseModel: 'tiny/base',
      adapterUri: adapter.uri,
      adapterSha256: adapter.sha256,
      adapterRank: 4,
      sandbox: true,
      retiredAt,
    },
  });
  return servedAs;
}

/** Moves the route without further ado. */
export async function seedRoute(db: Db, model: string, next: Partial<NextRoute>): Promise<void> {
  const { epoch, champion, previous, challenger, share, experimentId } = await readRoute(db, model);
  const result = await changeRoute(db, {
    model,
    expectedEpoch: epoch,
    next: { champion, previous, challenger, share, experimentId, ...next },
    action: 'promote',
    actor: 'test',
    reason: 'test',
    evidence: {},
  });
  if (!result.changed) throw new Error('somebody else moved the route');
}
