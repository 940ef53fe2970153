import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { compareVersions, listVersions, showVersion } from '../../registry/index.js';
import type { RouteTable } from '../define-route.js';
import { versionComparisonView, versionRecordView, versionSummaryView } from '../views/version-record-view.js';

const model = z.string();
const number = z.coerce.number().int().min(1).max(2_147_483_647);
const errors = ['unknown_model', 'unknown_version'] as const;

/** What is kept of the versions of a model. */
export function versionRoutes(app: FastifyInstance, table: RouteTable, db: Db): void {
  table.define(
    app,
    {
      method: 'GET',
      path: '/api/v1/models/:model/versions',
      summary: 'Versions of a model, oldest first',
      scope: 'read',
      params: z.strictObject({ model }),
      answer: z.strictObject({ versions: z.array(versionSummaryView) }),
      errors: ['unknown_model'],
    },
    async ({ params }) => ({ versions: await listVersions(db, params.model) }),
  );

  table.define(
    app,
    {
      method: 'GET',
      path: '/api/v1/models/:model/versions/:version',
      summary: 'One version: where it comes from, evaluations, experiments, and who promoted it',
      scope: 'read',
      params: z.strictObject({ model, version: number }),
      answer: versionRecordView,
      errors,
    },
    async ({ params }) => showVersion(db, params.model, params.version),
  );

  table.define(
    app,
    {
      method: 'GET',
      path: '/api/v1/models/:model/versions/:version/compare/:other',
      summary: 'Two versions side by side; only an experiment in which they met says which one is better',
      scope: 'read',
      params: z.strictObject({ model, version: number, other: number }),
      query: z.strictObject({
        days: z.coerce.number().int().min(1).max(3_660).default(30).describe('How far back live outcomes are counted'),
      }),
      answer: versionComparisonView,
      errors,
    },
    async ({ params: { model: name, version: a, other: b }, query: { days } }) =>
      compareVersions(db, { model: name, a, b, days, asOf: new Date() }),
  );
}
