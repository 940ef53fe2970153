import type { Db } from '../db/index.js';

const LAST_USED = `
WITH moved AS (
  SELECT place.version, max(c.created_at) AS at
    FROM route_changes c,
         LATERAL (SELECT unnest(ARRAY[c.before->>'champion', c.before->>'previous', c.before->>'challenger',
                                      c.after->>'champion', c.after->>'previous', c.after->>'challenger'])::int AS version) place
   WHERE c.model = $1 AND place.version IS NOT NULL
   GROUP BY place.version
)
SELECT v.version, v.label, v.state, v.adapter_uri AS uri, v.base_model AS "baseModel",
       greatest(v.created_at, v.retired_at, moved.at) AS "lastUsed"
  FROM versions v LEFT JOIN moved ON moved.version = v.version
 WHERE v.model = $1 AND v.kind = 'adapter' AND v.adapter_dropped_at IS NULL
 ORDER BY "lastUsed" DESC, v.version DESC`;

/** A version whose adapter is there. */
export interface KeptAdapter {
  version: number;
  label: string;
  state: string;
  uri: string;
  baseModel: string;
  /** When it was made, retired, or last entered or left the route, whichever came last. */
  lastUsed: Date;
}

/** The versions of a model whose adapters are there, last used first. */
export async function readKeptAdapters(db: Pick<Db, 'pool'>, model: string): Promise<KeptAdapter[]> {
  const { rows } = await db.pool.query<KeptAdapter>(LAST_USED, [model]);
  return rows;
}
