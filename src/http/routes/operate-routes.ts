import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { UnderstudyError } from '../../errors.js';
import type { RouteTable } from '../define-route.js';
import type { Operations } from '../operations.js';
import { modelParams, requireModel } from './model-params.js';

/** What operators do to a model. */
export function operateRoutes(app: FastifyInstance, table: RouteTable, db: Db, operations: Operations): void {
  table.define(
    app,
    {
      method: 'POST',
      path: '/api/v1/models/:model/rollback',
      summary: 'Give all traffic to the previous version, or to the one named',
      scope: 'operate',
      params: modelParams,
      headers: { 'idempotency-key': 'The same key again answers what the first request did' },
      body: z.strictObject({
        to_version: z.int().min(1).max(2_147_483_647).optional(),
        actor: z.string().trim().min(1).max(200).optional(),
        reason: z.string().trim().min(1).max(200),
      }),
      answer: z.strictObject({ epoch: z.int(), from_version: z.int(), to_version: z.int(), request_id: z.string() }),
      errors: [
        'unknown_model',
        'unknown_version',
        'version_rejected',
        'nothing_to_roll_back',
        'request_id_reused',
        'route_conflict',
      ],
    },
    async ({ params: { model }, body, principal, request }) => {
      const requestId = idempotencyKey(request.headers['idempotency-key']) ?? randomUUID();
      await requireModel(db, model);
      const done = await operations.rollBack({
        model,
        toVersion: body.to_version,
        actor: body.actor ?? `key ${principal.name}`.slice(0, 200),
        reason: body.reason,
        requestId,
      });
      return { epoch: done.epoch, from_version: done.fromVersion, to_version: done.toVersion, request_id: requestId };
    },
  );
}

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x21-\x7e]{1,200}$/.test(header)) return header;
  throw new UnderstudyError('invalid_request', { detail: 'Idempotency-Key: 1 to 200 visible ASCII characters' });
}
