import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Db } from '../../db/index.js';
import type { Gateway } from '../../gateway/index.js';
import {
  feedbackRecord,
  interactionRecord,
  openInteractionStore,
  retraction,
  storeFeedback,
} from '../../interactions/index.js';
import type { RouteTable } from '../define-route.js';

const MOST = 1_000;
const BODY_LIMIT = 16 * 1_024 * 1_024;

const results = z.strictObject({
  results: z.array(
    z.strictObject({
      id: z.string().nullable(),
      status: z.enum(['stored', 'duplicate', 'conflict', 'invalid']),
      error: z.string().optional(),
    }),
  ),
});

/** Batches from apps that call their model themselves; answered after COMMIT, item by item. */
export function captureRoutes(
  app: FastifyInstance,
  table: RouteTable,
  db: Db,
  subjectKey: string,
  gateway: Pick<Gateway, 'exposuresStored'>,
): void {
  const interactions = openInteractionStore(db, subjectKey);
  table.define(
    app,
    {
      method: 'POST',
      path: '/v1/interactions',
      summary: 'Store up to 1,000 interactions; a resend changes nothing',
      scope: 'ingest',
      body: z.strictObject({ interactions: z.array(z.unknown()).max(MOST) }),
      documentedBody: z.strictObject({ interactions: z.array(interactionRecord).max(MOST) }),
      answer: results,
      bodyLimit: BODY_LIMIT,
    },
    async ({ body, principal }) => {
      // An app may post an answer before the assignment it was given for it has left the queue.
      await gateway.exposuresStored();
      return { results: await interactions.store(body.interactions, { model: principal.model }) };
    },
  );

  table.define(
    app,
    {
      method: 'POST',
      path: '/v1/feedback',
      summary: 'Store up to 1,000 pieces of feedback; before their interactions, too',
      scope: 'ingest',
      body: z.strictObject({ feedback: z.array(z.unknown()).max(MOST) }),
      documentedBody: z.strictObject({ feedback: z.array(z.union([feedbackRecord, retraction])).max(MOST) }),
      answer: results,
      bodyLimit: BODY_LIMIT,
    },
    async ({ body, principal }) => ({ results: await storeFeedback(db, body.feedback, { model: principal.model }) }),
  );
}
