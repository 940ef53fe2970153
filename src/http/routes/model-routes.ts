import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { UnderstudyError } from '../../errors.js';
import { modelName } from '../../policy/index.js';
import type { Route } from '../../routing/index.js';
import type { RouteTable } from '../define-route.js';
import { cutPage, nextCursor, pageQuery, readCursor } from '../paging.js';
import { cycleView, viewCycle } from '../views/cycle-view.js';
import { experimentView, viewExperiments } from '../views/experiment-view.js';
import { routeChangeView, routeView, viewRoute, viewRouteChange } from '../views/route-view.js';
import { versionView, viewVersion } from '../views/version-view.js';
import { modelParams } from './model-params.js';

const RECENT_CHANGES = 10;

const modelView = z.strictObject({
  name: z.string(),
  policy: z.record(z.string(), z.unknown()).describe('As applied: durations as text, secrets as names of variables'),
  policy_digest: z.string(),
  sandbox: z.boolean(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  route: routeView.nullable(),
  versions: z.array(versionView),
  cycle: cycleView.nullable().describe('The one that runs'),
  experiment: experimentView.nullable().describe('The one on the route'),
  route_changes: z.array(routeChangeView).describe('The newest ones'),
});

const modelSummary = z.strictObject({
  name: z.string(),
  policy_digest: z.string(),
  sandbox: z.boolean(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  route: routeView.nullable(),
});

/** Models: all, and one with everything that is going on in it. */
export function modelRoutes(app: FastifyInstance, table: RouteTable, db: Db): void {
  table.define(
    app,
    {
      method: 'GET',
      path: '/api/v1/models',
      summary: 'All models, by name',
      scope: 'read',
      query: pageQuery,
      answer: z.strictObject({ models: z.array(modelSummary), next_cursor: nextCursor }),
      errors: ['not_found'],
    },
    async ({ query, principal }) => {
      const after = readCursor(query, modelName);
      const found = await db.prisma.model.findMany({
        where: {
          AND: [
            principal.model === null ? {} : { name: principal.model },
            after === undefined ? {} : { name: { gt: after } },
          ],
        },
        orderBy: { name: 'asc' },
        take: query.limit + 1,
      });
      const { rows, next_cursor } = cutPage(found, query.limit, ({ name }) => name);
      const routes = await db.prisma.route.findMany({ where: { model: { in: rows.map(({ name }) => name) } } });
      return {
        models: rows.map((row) => ({
          name: row.name,
          policy_digest: row.policyDigest,
          sandbox: row.sandbox,
          created_at: row.createdAt.toISOString(),
          updated_at: row.updatedAt.toISOString(),
          route: viewOrNull(routes.find(({ model }) => model === row.name)),
        })),
        next_cursor,
      };
    },
  );

  table.define(
    app,
    {
      method: 'GET',
      path: '/api/v1/models/:model',
      summary: 'One model: policy, route, versions, what runs, and the last route changes',
      scope: 'read',
      params: modelParams,
      answer: modelView,
      errors: ['unknown_model'],
    },
    async ({ params: { model } }) => {
      const [row, route, versions, cycle, changes] = await Promise.all([
        db.prisma.model.findUnique({ where: { name: model } }),
        db.prisma.route.findUnique({ where: { model } }),
        db.prisma.version.findMany({ where: { model }, orderBy: { version: 'asc' } }),
        db.prisma.cycle.findFirst({ where: { model, endedAt: null } }),
        db.prisma.routeChange.findMany({ where: { model }, orderBy: { epoch: 'desc' }, take: RECENT_CHANGES }),
      ]);
      if (row === null) throw new UnderstudyError('unknown_model', { model });
      const live = route?.experimentId
        ? await db.prisma.experiment.findMany({ where: { id: route.experimentId } })
        : [];
      const [experiment = null] = await viewExperiments(db, live);
      return {
        name: row.name,
        policy: row.policy as Record<string, unknown>,
        policy_digest: row.policyDigest,
        sandbox: row.sandbox,
        created_at: row.createdAt.toISOString(),
        updated_at: row.updatedAt.toISOString(),
        route: viewOrNull(route),
        versions: versions.map((version) => viewVersion(version, route, experiment?.kind)),
        cycle: cycle === null ? null : viewCycle(cycle),
        experiment,
        route_changes: changes.map(viewRouteChange),
      };
    },
  );
}

function viewOrNull(route: Route | null | undefined): z.input<typeof routeView> | null {
  return route === null || route === undefined ? null : viewRoute(route);
}
