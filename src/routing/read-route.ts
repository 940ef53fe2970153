import type { Db, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { Route } from './route.js';

/** The route of one model; throws `unknown_model`. */
export async function readRoute(db: Db | { prisma: Tx }, model: string): Promise<Route> {
  const row = await db.prisma.route.findUnique({ where: { model } });
  if (row === null) throw new UnderstudyError('unknown_model', { model });
  const { updatedAt: _updatedAt, ...route } = row;
  return route;
}

/** All routes; what a gateway keeps in memory. */
export async function readRoutes(db: Db): Promise<Route[]> {
  const rows = await db.prisma.route.findMany({ orderBy: { model: 'asc' } });
  return rows.map(({ updatedAt: _updatedAt, ...route }) => route);
}
