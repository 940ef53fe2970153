import type { Db } from '../db/index.js';
import { canonicalJson } from '../policy/index.js';
import { readRoute } from './read-route.js';

/** A route change that does not fit the chain. */
export interface BrokenLink {
  epoch: number;
  field: 'hash' | 'epoch' | 'before' | 'route';
  stored: unknown;
  expected: unknown;
}

interface Link {
  epoch: number;
  hash: string;
  expected: string;
  before: object | null;
  after: object;
  route: object;
}

/** Each hash again, over the content of the row as it stands and the stored hash of the row before it; and the route. */
const LINKS = `
SELECT change.epoch, change.hash, change.before, change.after,
       route_change_hash(lag(change.hash, 1, '') OVER (ORDER BY change.epoch), change) AS expected,
       jsonb_build_object('champion', route.champion, 'previous', route.previous, 'challenger', route.challenger,
         'share', route.share, 'experimentId', route.experiment_id, 'epoch', route.epoch) AS route
  FROM route_changes change JOIN routes route ON route.model = change.model
 WHERE change.model = $1 ORDER BY change.epoch`;

/**
 * Checks the chain of a model's route changes: every hash, epochs without a gap, every change beginning where the one
 * before ended, and the route standing where the last one left it. Throws `unknown_model`.
 */
export async function verifyChain(
  db: Pick<Db, 'prisma' | 'pool'>,
  model: string,
): Promise<{ checked: number; broken: BrokenLink[] }> {
  await readRoute(db, model);
  const { rows } = await db.pool.query<Link>(LINKS, [model]);
  const broken: BrokenLink[] = [];
  const compare = (epoch: number, field: BrokenLink['field'], stored: unknown, expected: unknown) => {
    if (canonicalJson(stored) !== canonicalJson(expected)) broken.push({ epoch, field, stored, expected });
  };
  let before: object | null = null;
  for (const [index, link] of rows.entries()) {
    compare(link.epoch, 'epoch', link.epoch, index + 1);
    compare(link.epoch, 'before', link.before, before);
    compare(link.epoch, 'hash', link.hash, link.expected);
    before = link.after;
  }
  const last = rows.at(-1);
  compare(last?.epoch ?? 0, 'route', last?.route ?? null, before);
  return { checked: rows.length, broken };
}
