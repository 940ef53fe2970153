import type { Db } from '../db/index.js';
import type { Arm } from './store-captured.js';

/** A subject was assigned to an arm of an experiment. */
export interface Exposure {
  experimentId: string;
  /** HMAC of the subject, see `hashSubject`. */
  subject: string;
  arm: Arm;
  /** The arm's version. */
  version: number;
  exposedAt: Date;
}

/** Records exposures; of several of one subject in one arm, by whichever gateway and in whatever order, the earliest stays. */
export async function recordExposures(db: Pick<Db, 'pool'>, exposures: readonly Exposure[]): Promise<void> {
  if (exposures.length === 0) return;
  const earliest = new Map<string, Exposure>();
  for (const exposure of exposures) {
    const key = `${exposure.experimentId} ${exposure.subject} ${exposure.arm}`;
    const known = earliest.get(key);
    if (known === undefined || exposure.exposedAt < known.exposedAt) earliest.set(key, exposure);
  }
  // Ordered by key, so that two writers wait for each other instead of deadlocking.
  const ordered = [...earliest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, exposure]) => exposure);
  await db.pool.query({
    name: 'understudy-record-exposures',
    text: `INSERT INTO exposures AS stored (experiment_id, subject, arm, version, exposed_at)
      SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[])
      ON CONFLICT (experiment_id, subject, arm) DO UPDATE SET exposed_at = excluded.exposed_at
        WHERE excluded.exposed_at < stored.exposed_at`,
    values: [
      ordered.map(({ experimentId }) => experimentId),
      ordered.map(({ subject }) => subject),
      ordered.map(({ arm }) => arm),
      ordered.map(({ version }) => version),
      ordered.map(({ exposedAt }) => exposedAt.toISOString()),
    ],
  });
}
