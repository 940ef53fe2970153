import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Principal } from '../../access/index.js';
import type { Db } from '../../db/index.js';
import { UnderstudyError } from '../../errors.js';
import { awaitGateways, awaitPromotion, readRoute } from '../../routing/index.js';
import type { RouteTable } from '../define-route.js';
import { line } from '../line.js';
import type { Operations } from '../operations.js';
import { modelParams, requireModel } from './model-params.js';

const actor = line(200).optional().describe('On whose behalf; the record names the key, too');
const reason = line(200);
const version = z.int().min(1).max(2_147_483_647);
const wait = z.boolean().optional().describe('Answer when every gateway follows the new route');
const timeout = z.number().gt(0).max(60).default(10).describe('With `wait`: for how many seconds');
const followedBy = z
  .strictObject({
    gateways: z.int().describe('Those that follow the new route'),
    ms: z.number().describe('From the change to the last of them'),
    silent: z.array(z.string()).describe('Those that give no sign of life: dead, or cut off from Postgres'),
  })
  .optional()
  .describe('With `wait`');
const heardView = {
  request_id: z.string(),
  status: z.enum(['taken', 'waiting']).describe('`waiting`: no worker answers now; the cycle judges it when one does'),
  note: z.string().describe('What will happen'),
};
const REFUSALS = ['unknown_model', 'not_found', 'message_refused', 'temporal_unreachable'] as const;
const visible = z.string().regex(/^[\x21-\x7e]{1,200}$/);

/** What operators do to a model. */
export function operateRoutes(app: FastifyInstance, table: RouteTable, db: Db, operations: Operations): void {
  table.define(
    app,
    {
      method: 'POST',
      path: '/api/v1/models/:model/rollback',
      summary: 'Give all traffic to the previous version, or to the one named',
      scope: 'approve',
      params: modelParams,
      headers: {
        'idempotency-key': { description: 'The same key again answers what the first request did', schema: visible },
      },
      body: z.strictObject({
        to_version: version.optional(),
        actor,
        reason,
        wait,
        timeout_s: timeout,
      }),
      answer: z.strictObject({
        epoch: z.int(),
        from_version: z.int(),
        to_version: z.int(),
        request_id: z.string(),
        followed_by: followedBy,
      }),
      errors: [
        'unknown_model',
        'unknown_version',
        'version_rejected',
        'adapter_dropped',
        'nothing_to_roll_back',
        'request_id_reused',
        'route_conflict',
        'gateways_behind',
      ],
    },
    async ({ params: { model }, body, principal, request }) => {
      const requestId = requestIdOf(request);
      await requireModel(db, model);
      const done = await operations.rollBack({
        model,
        toVersion: body.to_version,
        actor: actorOf(principal, body.actor),
        reason: body.reason,
        requestId,
      });
      const timeoutMs = 1_000 * body.timeout_s;
      const facts = {
        epoch: done.epoch,
        from_version: done.fromVersion,
        to_version: done.toVersion,
        request_id: requestId,
      };
      return body.wait
        ? { ...facts, followed_by: await awaitGateways(db, { model, epoch: done.epoch, timeoutMs }) }
        : facts;
    },
  );

  table.define(
    app,
    {
      method: 'POST',
      path: '/api/v1/models/:model/promote',
      summary: 'Ask the running cycle to promote its candidate; the cycle judges it',
      scope: 'approve',
      params: modelParams,
      headers: { 'idempotency-key': { description: 'Goes into the message as its request id', schema: visible } },
      body: z.strictObject({
        candidate: version,
        actor,
        reason,
        force: z.boolean().optional().describe('Also before experiment.min_duration; recorded as forced'),
        wait: wait.describe('Answer when it is champion and every gateway follows'),
        timeout_s: timeout,
      }),
      answer: z.strictObject({
        ...heardView,
        epoch: z.int().optional().describe('With `wait`: of the promotion'),
        followed_by: followedBy,
      }),
      errors: [...REFUSALS, 'not_promoted', 'gateways_behind'],
    },
    async ({ params: { model }, body, principal, request }) => {
      const requestId = requestIdOf(request);
      await requireModel(db, model);
      const before = await readRoute(db, model);
      const heard = await operations.promote({
        model,
        candidate: body.candidate,
        actor: actorOf(principal, body.actor),
        identity: identityOf(principal),
        reason: body.reason,
        requestId,
        force: body.force ?? false,
      });
      if (!body.wait) return { request_id: requestId, ...heard };
      const timeoutMs = 1_000 * body.timeout_s;
      const epoch = await awaitPromotion(db, {
        model,
        version: body.candidate,
        epoch: before.epoch,
        timeoutMs,
      });
      return {
        request_id: requestId,
        ...heard,
        epoch,
        followed_by: await awaitGateways(db, { model, epoch, timeoutMs }),
      };
    },
  );

  table.define(
    app,
    {
      method: 'POST',
      path: '/api/v1/models/:model/extend',
      summary: 'Put off the last look of the running experiment; boundaries and what was spent stay',
      scope: 'run',
      params: modelParams,
      headers: { 'idempotency-key': { description: 'The same key again extends nothing', schema: visible } },
      body: z.strictObject({
        by: line(20).describe('How much longer, such as "48h"'),
        candidate: version.optional().describe('Where it is given, it must be the candidate of the cycle'),
        actor,
        reason: reason.optional(),
      }),
      answer: z.strictObject(heardView),
      errors: [...REFUSALS],
    },
    async ({ params: { model }, body, principal, request }) => {
      const requestId = requestIdOf(request);
      await requireModel(db, model);
      const said = { ...body, actor: actorOf(principal, body.actor) };
      return { request_id: requestId, ...(await operations.extend({ model, ...said, requestId })) };
    },
  );

  table.define(
    app,
    {
      method: 'POST',
      path: '/api/v1/models/:model/resume',
      summary: 'Have a parked cycle try again what it is parked on',
      scope: 'run',
      params: modelParams,
      headers: { 'idempotency-key': { description: 'The same key again tries nothing again', schema: visible } },
      body: z.strictObject({
        actor,
        skip: z.boolean().optional().describe('While undoing: leave what cannot be undone as it is, and end'),
      }),
      answer: z.strictObject(heardView),
      errors: [...REFUSALS],
    },
    async ({ params: { model }, body, principal, request }) => {
      const requestId = requestIdOf(request);
      await requireModel(db, model);
      const said = { ...body, actor: actorOf(principal, body.actor) };
      return { request_id: requestId, ...(await operations.resume({ model, ...said, requestId })) };
    },
  );
}

/** Who did it, for the record: the key first, so that nobody signs with another one's name. */
function actorOf({ name }: Principal, onBehalfOf: string | undefined): string {
  return `key ${name}${onBehalfOf === undefined ? '' : ` for ${onBehalfOf}`}`.slice(0, 200);
}

function identityOf({ family }: Principal): string {
  return `key ${family}`;
}

/** The client's Idempotency-Key, or an id of our own. Throws `invalid_request`. */
function requestIdOf({ headers }: { headers: IncomingHttpHeaders }): string {
  const key = headers['idempotency-key'];
  if (key === undefined) return randomUUID();
  const { success, data } = visible.safeParse(key);
  if (success) return data;
  throw new UnderstudyError('invalid_request', { detail: 'Idempotency-Key: 1 to 200 visible ASCII characters' });
}
