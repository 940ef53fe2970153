import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { drawSample, gradeItems, gradeSource, readItems, reviewStatus } from '../../reviews/index.js';
import type { RouteTable } from '../define-route.js';
import { line } from '../line.js';
import { modelParams } from './model-params.js';

const path = '/api/v1/models/:model/review';
const source = gradeSource.default('reviewer').describe('Who grades: `reviewer`, or the name of a judge');
const errors = ['unknown_model', 'not_found'] as const;

/** The blind review sample of the newest experiment: drawn, read, graded. */
export function reviewRoutes(app: FastifyInstance, table: RouteTable, db: Db): void {
  table.define(
    app,
    {
      method: 'POST',
      path: `${path}/draws`,
      summary: 'Draw answers of both arms of the newest experiment by chance, of those since the draw before',
      scope: 'operate',
      params: modelParams,
      body: z.strictObject({
        per_arm: z.int().min(1).max(100_000),
        seed: line(200).optional().describe('What chance is made from; left out: the id of the experiment'),
      }),
      answer: z.strictObject({
        experiment: z.uuid(),
        draw: z.int(),
        per_arm: z.int().describe('Fewer than asked for where an arm has fewer'),
      }),
      errors,
    },
    async ({ params: { model }, body }) => {
      const { experimentId, draw, perArm } = await drawSample(db, {
        ...{ model, perArm: body.per_arm, seed: body.seed, asOf: new Date() },
      });
      return { experiment: experimentId, draw, per_arm: perArm };
    },
  );

  table.define(
    app,
    {
      method: 'GET',
      path: `${path}/items`,
      summary: 'What was drawn and this source has not graded: texts, and nothing that says in which arm',
      scope: 'read',
      params: modelParams,
      query: z.strictObject({ source, limit: z.coerce.number().int().min(1).max(1_000).default(100) }),
      answer: z.strictObject({
        items: z.array(
          z.strictObject({
            item: z.uuid().describe('What it is graded by'),
            messages: z.unknown().describe('As they were asked'),
            answers: z.array(z.string().nullable()).describe('One for each choice'),
          }),
        ),
      }),
      errors,
    },
    async ({ params: { model }, query }) => ({ items: await readItems(db, { model, ...query }) }),
  );

  table.define(
    app,
    {
      method: 'POST',
      path: `${path}/grades`,
      summary: 'Grade items; the latest grade of a source counts',
      scope: 'ingest',
      params: modelParams,
      body: z.strictObject({
        source,
        grades: z
          .array(z.strictObject({ item: z.uuid(), grade: z.number().min(0).max(1).describe('0 is bad, 1 is good') }))
          .min(1)
          .max(1_000),
      }),
      answer: z.strictObject({
        results: z.array(
          z.strictObject({ item: z.string(), status: z.enum(['stored', 'duplicate', 'unknown', 'invalid']) }),
        ),
      }),
      errors: ['unknown_model'],
    },
    async ({ params: { model }, body }) => ({ results: await gradeItems(db, { model, ...body }) }),
  );

  table.define(
    app,
    {
      method: 'GET',
      path,
      summary: 'How many were drawn and graded, and how judges compare with people; nothing by arm',
      scope: 'read',
      params: modelParams,
      answer: z.strictObject({
        experiment: z.uuid(),
        draws: z.int(),
        items: z.int(),
        sources: z.array(
          z.strictObject({
            source: z.string(),
            graded: z.int(),
            mean: z.number(),
            calibration: z
              .strictObject({ both: z.int(), agreement: z.number(), kappa: z.number().nullable() })
              .nullable()
              .describe('Against `reviewer`'),
          }),
        ),
      }),
      errors,
    },
    async ({ params: { model } }) => {
      const { experimentId, ...status } = await reviewStatus(db, model);
      return { experiment: experimentId, ...status };
    },
  );
}
