import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { duration } from '../../policy/index.js';
import { showShadow, stopShadow } from '../../shadow/index.js';
import type { RouteTable } from '../define-route.js';
import { line } from '../line.js';
import type { Operations } from '../operations.js';
import { modelParams } from './model-params.js';

const number = z.int().min(1).max(2_147_483_647);
const path = '/api/v1/models/:model/shadow';

/** At most 999 days: a time that is still a date. */
const howLong = z
  .string()
  .regex(/^(\d{1,4}(ms|s|m|h)|\d{1,3}d)$/, 'must be a number with a unit, such as "24h"')
  .describe('How long, such as "24h"');
const running = z.strictObject({
  share: z.number().describe('Of the requests, in (0, 1]'),
  ends_at: z.iso.datetime(),
  actor: z.string(),
  reason: z.string(),
  started_at: z.iso.datetime(),
});
const speed = {
  p50_ms: z.number().nullable().describe('null: unknown'),
  p95_ms: z.number().nullable().describe('null: unknown'),
};

/** A version that answers copies of requests, unseen. */
export function shadowRoutes(app: FastifyInstance, table: RouteTable, db: Db, operations: Operations): void {
  table.define(
    app,
    {
      method: 'POST',
      path,
      summary: 'Let a version answer copies of a share of the requests; nobody sees its answers',
      scope: 'operate',
      params: modelParams,
      body: z.strictObject({
        version: number,
        share: z.number().gt(0).max(1).default(0.1),
        for: howLong.pipe(duration).prefault('24h'),
        actor: line(200).optional(),
        reason: line(200),
      }),
      answer: z.strictObject({ model: z.string(), version: number, share: z.number(), ends_at: z.iso.datetime() }),
      errors: [
        'unknown_model',
        'unknown_version',
        'version_rejected',
        'adapter_dropped',
        'conflict',
        'serving_unreachable',
        'serving_refused',
      ],
    },
    async ({ params: { model }, body, principal }) => {
      const { version, share, endsAt } = await operations.startShadow({
        model,
        version: body.version,
        share: body.share,
        endsAt: new Date(Date.now() + body.for),
        actor: body.actor ?? `key ${principal.name}`.slice(0, 200),
        reason: body.reason,
      });
      return { model, version, share, ends_at: endsAt.toISOString() };
    },
  );

  table.define(
    app,
    {
      method: 'GET',
      path,
      summary: 'What a shadow answered, beside what people got for the same requests',
      scope: 'read',
      params: modelParams,
      query: z.strictObject({ version: z.coerce.number().int().min(1).max(2_147_483_647).optional() }),
      answer: z.strictObject({
        model: z.string(),
        version: number.nullable().describe('null: there never was a shadow'),
        running: running.nullable(),
        n: z.int(),
        failed: z.int(),
        shadow: z.strictObject(speed),
        answered: z.strictObject({ n: z.int(), failed: z.int(), ...speed }),
      }),
      errors: ['unknown_model'],
    },
    async ({ params: { model }, query: { version } }) => showShadow(db, { model, version, asOf: new Date() }),
  );

  table.define(
    app,
    {
      method: 'DELETE',
      path,
      summary: 'Ask the shadow no more; what it answered stays',
      scope: 'operate',
      params: modelParams,
      answer: z.strictObject({ model: z.string(), stopped: z.boolean() }),
      errors: ['unknown_model'],
    },
    async ({ params: { model } }) => ({ model, stopped: await stopShadow(db, model) }),
  );
}
