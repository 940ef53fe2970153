import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import { UnderstudyError } from '../../errors.js';
import type { Gateway } from '../../gateway/index.js';
import type { RouteTable } from '../define-route.js';
import type { FeedbackMetrics } from '../feedback-metrics.js';
import { readBody } from '../otlp/read-body.js';
import { readEvents } from '../otlp/read-events.js';
import { sendOtlpAnswer } from '../otlp/send-otlp.js';
import { storeEvents } from '../otlp/store-events.js';

const BODY_LIMIT = 16 * 1_024 * 1_024;
/** Senders batch hundreds; a collector at most 8,192 unless told otherwise. */
const MOST = 20_000;

const list = z.array(z.looseObject({})).nullish();
const exportRequest = z.looseObject({
  resourceLogs: z
    .array(
      z.looseObject({
        resource: z.looseObject({ attributes: list }).nullish(),
        scopeLogs: z.array(z.looseObject({ scope: z.looseObject({}).nullish(), logRecords: list })).nullish(),
      }),
    )
    .nullish(),
});
const exportResponse = z.strictObject({
  partialSuccess: z
    .strictObject({ rejectedLogRecords: z.string().optional(), errorMessage: z.string() })
    .optional()
    .describe('Absent when every record was stored'),
});

/** OTLP/HTTP logs: GenAI events as interactions and feedback; answered after COMMIT. */
export function otlpRoutes(
  app: FastifyInstance,
  table: RouteTable,
  parts: { db: Db; subjectKey: string; gateway: Pick<Gateway, 'exposuresStored'>; metrics: FeedbackMetrics },
): void {
  void app.register(async (scope) => {
    // As it came: it may be compressed, and is read by what its type says.
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser(
      ['application/json', 'application/x-protobuf'],
      { parseAs: 'buffer' },
      (_request, body, done) => done(null, body),
    );
    table.define(
      scope,
      {
        method: 'POST',
        path: '/v1/logs',
        summary: 'Store GenAI events sent by OpenTelemetry (OTLP/HTTP, plain or gzip) as interactions and feedback',
        scope: 'ingest',
        documentedBody: z.union([exportRequest, z.looseObject({}).describe('Members it does not know are ignored')]),
        answer: exportResponse,
        otlp: true,
        bodyLimit: BODY_LIMIT,
      },
      async ({ request, reply, principal }) => {
        const events = readEvents(await readBody(request));
        if (events === undefined) {
          throw new UnderstudyError('invalid_request', { detail: 'the body is not an ExportLogsServiceRequest' });
        }
        if (events.length > MOST) {
          throw new UnderstudyError('invalid_request', { detail: `more than ${MOST} log records in one request` });
        }
        // As for POST /v1/interactions: an assignment may not have left the queue yet.
        await parts.gateway.exposuresStored();
        const { rejected, message } = await storeEvents(parts, events, principal.model);
        return sendOtlpAnswer(request, reply, rejected, message);
      },
    );
  });
}
