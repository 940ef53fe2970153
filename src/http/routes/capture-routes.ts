import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { FeedbackTokens } from '../../access/index.js';
import type { Db } from '../../db/index.js';
import { UnderstudyError } from '../../errors.js';
import type { Gateway } from '../../gateway/index.js';
import {
  feedbackRecord,
  interactionRecord,
  openInteractionStore,
  retraction,
  storeFeedback,
} from '../../interactions/index.js';
import type { RouteTable } from '../define-route.js';
import type { FeedbackMetrics } from '../feedback-metrics.js';

const MOST = 1_000;
const BODY_LIMIT = 16 * 1_024 * 1_024;
/** With a feedback token: what one person says about one answer. */
const MOST_WITH_TOKEN = 20;
const BODY_LIMIT_WITH_TOKEN = 1_024 * 1_024;

/** Items are checked one by one, and nothing that stands in one refuses the others. */
const itemsLike = (record: z.ZodType) =>
  z.array(z.union([record, z.unknown().describe('Anything else is answered with the status invalid')])).max(MOST);

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
  parts: {
    db: Db;
    /** Key of the HMAC under which subjects are stored. */
    subjectKey: string;
    tokens: FeedbackTokens;
    gateway: Pick<Gateway, 'exposuresStored'>;
    metrics: FeedbackMetrics;
  },
): void {
  const { db, subjectKey, tokens, gateway, metrics } = parts;
  const interactions = openInteractionStore(db, subjectKey);
  table.define(
    app,
    {
      method: 'POST',
      path: '/v1/interactions',
      summary: 'Store up to 1,000 interactions; a resend changes nothing',
      scope: 'ingest',
      body: z.strictObject({ interactions: z.array(z.unknown()).max(MOST) }),
      documentedBody: z.strictObject({ interactions: itemsLike(interactionRecord) }),
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
      claimOf(request) {
        const claim = tokens.claimOf(request.headers.authorization);
        if (claim !== undefined && Number(request.headers['content-length'] ?? 0) > BODY_LIMIT_WITH_TOKEN) {
          throw new UnderstudyError('payload_too_large', { limit: BODY_LIMIT_WITH_TOKEN });
        }
        return claim;
      },
      body: z.strictObject({ feedback: z.array(z.unknown()).max(MOST) }),
      documentedBody: z.strictObject({ feedback: itemsLike(z.union([feedbackRecord, retraction])) }),
      answer: results,
      errors: ['feedback_token_refused'],
      bodyLimit: BODY_LIMIT,
    },
    async ({ body, principal, request: { feedbackClaim: claim } }) => {
      if (claim !== undefined && body.feedback.length > MOST_WITH_TOKEN) {
        const detail = `body.feedback: at most ${MOST_WITH_TOKEN} items with a feedback token`;
        throw new UnderstudyError('invalid_request', { detail });
      }
      const onOverLimit = metrics.overLimit;
      return {
        results: await storeFeedback(db, body.feedback, { ...(claim ?? { model: principal.model }), onOverLimit }),
      };
    },
  );
}
