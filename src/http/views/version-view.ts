import { z } from 'zod';
import type { Db } from '../../db/index.js';
import type { Route } from '../../routing/index.js';

const role = z.enum(['champion', 'previous', 'challenger']).nullable();

/** One immutable candidate under a model's name. `state` is stored, `role` is read from the route. */
export const versionView = z.strictObject({
  version: z.int(),
  label: z.string(),
  kind: z.enum(['base', 'adapter', 'remote']),
  state: z.enum(['candidate', 'archived', 'rejected']),
  role,
  served_as: z.string(),
  base_model: z.string(),
  adapter: z.strictObject({ uri: z.string(), sha256: z.string(), rank: z.int() }).nullable(),
  training_run: z.uuid().nullable(),
  dataset: z.uuid().nullable(),
  cycle: z.uuid().nullable(),
  metrics: z.record(z.string(), z.unknown()),
  sandbox: z.boolean(),
  created_at: z.iso.datetime(),
  retired_at: z.iso.datetime().nullable(),
});

type VersionRow = Awaited<ReturnType<Db['prisma']['version']['findFirstOrThrow']>>;
type VersionView = z.input<typeof versionView>;

/** @param kind of the live experiment: in a bake the second arm is the previous champion, and called that */
export function viewVersion(row: VersionRow, route: Route | null, kind: string | undefined): VersionView {
  const { adapterUri, adapterSha256, adapterRank } = row;
  const isAdapter = adapterUri !== null && adapterSha256 !== null && adapterRank !== null;
  return {
    version: row.version,
    label: row.label,
    kind: row.kind as VersionView['kind'],
    state: row.state as VersionView['state'],
    role: roleOf(row.version, route, kind),
    served_as: row.servedAs,
    base_model: row.baseModel,
    adapter: isAdapter ? { uri: adapterUri, sha256: adapterSha256, rank: adapterRank } : null,
    training_run: row.trainingRunId,
    dataset: row.datasetId,
    cycle: row.cycleId,
    metrics: row.metrics as Record<string, unknown>,
    sandbox: row.sandbox,
    created_at: row.createdAt.toISOString(),
    retired_at: row.retiredAt?.toISOString() ?? null,
  };
}

function roleOf(version: number, route: Route | null, kind: string | undefined): z.input<typeof role> {
  if (route === null) return null;
  if (version === route.champion) return 'champion';
  if (version === route.challenger && kind !== 'bake') return 'challenger';
  return version === route.previous ? 'previous' : null;
}
