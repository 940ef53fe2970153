import type { Db, Tx } from '../db/index.js';
import { previousWhenChampion } from '../routing/index.js';
import { readHolds } from './holds.js';

type Reader = Pick<Db, 'prisma'> | { prisma: Tx };

/**
 * Why the adapters of a model's versions must not be dropped, by version and whatever the policy says: in the route, where
 * a second rollback would lead, answering copies, the work of a running cycle, or under legal hold. One that is not here is needed by nothing.
 */
export async function whyNeeded(db: Reader, model: string, asOf: Date): Promise<Map<number, string>> {
  const { prisma } = db;
  const needed = new Map<number, string>();
  const say = (version: number | null | undefined, why: string) => {
    if (version !== null && version !== undefined && !needed.has(version)) needed.set(version, why);
  };
  for (const [version] of await readHolds(db, model)) say(version, 'under legal hold');
  const route = await prisma.route.findUnique({ where: { model } });
  if (route !== null) {
    const { champion, previous, challenger } = route;
    say(champion, 'champion');
    say(previous, 'previous');
    say(challenger, 'challenger');
    for (const version of [champion, previous, challenger]) {
      if (version !== null) say(await previousWhenChampion(db, model, version), 'where a second rollback leads');
    }
  }
  const shadow = await prisma.shadow.findUnique({ where: { model } });
  if (shadow !== null && shadow.endsAt > asOf) say(shadow.version, 'answers copies');
  const cycle = await prisma.cycle.findFirst({ where: { model, endedAt: null } });
  if (cycle !== null) {
    say(cycle.candidate, 'candidate of the running cycle');
    const made = await prisma.version.findMany({ where: { cycleId: cycle.id }, select: { version: true } });
    for (const { version } of made) say(version, 'made by the running cycle');
  }
  return needed;
}
