import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { Route } from '../routing/index.js';

export type VersionRow = NonNullable<Awaited<ReturnType<Db['prisma']['version']['findUnique']>>>;

/** What a version is called by its place in the route; the holdback of a bake is the previous champion. */
export type VersionPlace = 'champion' | 'previous' | 'challenger';

/** A version as lists show it, in the words of the API. */
export interface VersionSummary {
  version: number;
  label: string;
  kind: 'base' | 'adapter' | 'remote';
  /** Stored. */
  state: 'candidate' | 'archived' | 'rejected';
  /** Read from the route. */
  role: VersionPlace | null;
  served_as: string;
  base_model: string;
  adapter: { uri: string; sha256: string; rank: number } | null;
  sandbox: boolean;
  created_at: string;
  retired_at: string | null;
  /** Its adapter was dropped: it can serve no more. */
  adapter_dropped_at: string | null;
}

/** Throws `unknown_model`, `unknown_version`. */
export async function findVersion({ prisma }: Pick<Db, 'prisma'>, model: string, version: number): Promise<VersionRow> {
  const row = await prisma.version.findUnique({ where: { model_version: { model, version } } });
  if (row !== null) return row;
  const known = await prisma.model.count({ where: { name: model } });
  if (known === 0) throw new UnderstudyError('unknown_model', { model });
  throw new UnderstudyError('unknown_version', { model, version });
}

export function summarise(row: VersionRow, route: Route | null): VersionSummary {
  const { adapterUri: uri, adapterSha256: sha256, adapterRank: rank } = row;
  return {
    version: row.version,
    label: row.label,
    kind: row.kind as VersionSummary['kind'],
    state: row.state as VersionSummary['state'],
    role: placeOf(row.version, route),
    served_as: row.servedAs,
    base_model: row.baseModel,
    adapter: uri === null || sha256 === null || rank === null ? null : { uri, sha256, rank },
    sandbox: row.sandbox,
    created_at: row.createdAt.toISOString(),
    retired_at: row.retiredAt?.toISOString() ?? null,
    adapter_dropped_at: row.adapterDroppedAt?.toISOString() ?? null,
  };
}

function placeOf(version: number, route: Route | null): VersionPlace | null {
  if (route === null) return null;
  if (version === route.champion) return 'champion';
  if (version === route.previous) return 'previous';
  return version === route.challenger ? 'challenger' : null;
}
