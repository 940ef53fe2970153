import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import type { RouteTable } from '../define-route.js';
import { cutPage, nextCursor, pageQuery, readCursor, startedBefore, startKey } from '../paging.js';
import { cycleView, viewCycle } from '../views/cycle-view.js';
import { experimentView, viewExperiments } from '../views/experiment-view.js';
import { routeChangeView, viewRouteChange } from '../views/route-view.js';
import { modelParams, requireModel } from './model-params.js';

/** What happened to a model, newest first: cycles, experiments with their looks, route changes. */
export function historyRoutes(app: FastifyInstance, table: RouteTable, db: Db): void {
  const list = {
    method: 'GET',
    scope: 'read',
    params: modelParams,
    query: pageQuery,
    errors: ['unknown_model', 'not_found'],
  } as const;

  table.define(
    app,
    {
      ...list,
      path: '/api/v1/models/:model/cycles',
      summary: 'Cycles of a model, newest first',
      answer: z.strictObject({ cycles: z.array(cycleView), next_cursor: nextCursor }),
    },
    async ({ params: { model }, query }) => {
      await requireModel(db, model);
      const found = await db.prisma.cycle.findMany({
        where: { model, ...startedBefore(readCursor(query, startKey)) },
        orderBy: [{ startedAt: 'desc' }, { id: 'desc' }],
        take: query.limit + 1,
      });
      const { rows, next_cursor } = cutPage(found, query.limit, ({ startedAt, id }) => [startedAt, id]);
      return { cycles: rows.map(viewCycle), next_cursor };
    },
  );

  table.define(
    app,
    {
      ...list,
      path: '/api/v1/models/:model/experiments',
      summary: 'Experiments of a model with their looks, newest first',
      answer: z.strictObject({ experiments: z.array(experimentView), next_cursor: nextCursor }),
    },
    async ({ params: { model }, query }) => {
      await requireModel(db, model);
      const found = await db.prisma.experiment.findMany({
        where: { model, ...startedBefore(readCursor(query, startKey)) },
        orderBy: [{ startedAt: 'desc' }, { id: 'desc' }],
        take: query.limit + 1,
      });
      const { rows, next_cursor } = cutPage(found, query.limit, ({ startedAt, id }) => [startedAt, id]);
      return { experiments: await viewExperiments(db, rows), next_cursor };
    },
  );

  table.define(
    app,
    {
      ...list,
      path: '/api/v1/models/:model/route-changes',
      summary: 'Moves of a model\u2019s route with actor, reason and evidence, newest first',
      answer: z.strictObject({ route_changes: z.array(routeChangeView), next_cursor: nextCursor }),
    },
    async ({ params: { model }, query }) => {
      await requireModel(db, model);
      const before = readCursor(query, z.int32());
      const found = await db.prisma.routeChange.findMany({
        where: { model, ...(before === undefined ? {} : { epoch: { lt: before } }) },
        orderBy: { epoch: 'desc' },
        take: query.limit + 1,
      });
      const { rows, next_cursor } = cutPage(found, query.limit, ({ epoch }) => epoch);
      return { route_changes: rows.map(viewRouteChange), next_cursor };
    },
  );
}
