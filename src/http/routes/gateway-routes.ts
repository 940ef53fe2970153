import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { maySee } from '../../access/index.js';
import type { Endpoint, Gateway } from '../../gateway/index.js';
import type { RouteTable } from '../define-route.js';

/** Room for a few images as data URLs. */
export const BODY_LIMIT = 20 * 1_024 * 1_024;

const named = { model: z.string().describe('A model, or `model@3` to pin a version outside experiments') };
const subjects = { safety_identifier: z.string().optional(), user: z.string().optional() };
const stream = z.boolean().nullish();

const chatRequest = z.looseObject({
  ...named,
  messages: z.array(z.looseObject({ role: z.string() })),
  stream: stream.describe("true: answered by server-sent events, the upstream's own but for the id of each chunk"),
  store: z.boolean().nullish().describe('false: routed, not captured'),
  ...subjects,
});

const chatCompletion = z.looseObject({
  id: z.uuid().describe('Id of the interaction'),
  choices: z.array(z.looseObject({})).optional(),
});

interface OpenAiRoute {
  endpoint: Endpoint;
  summary: string;
  documentedBody: z.ZodType;
  answer: z.ZodType;
  alsoStreams: boolean;
}

/** Chat completions first; the others are passed through, answered by the champion and not captured. */
const ENDPOINTS: readonly OpenAiRoute[] = [
  {
    endpoint: 'chat/completions',
    summary: 'Answer a chat completion with the version the route and the subject choose',
    documentedBody: chatRequest,
    answer: chatCompletion,
    alsoStreams: true,
  },
  {
    endpoint: 'completions',
    summary: 'Pass a text completion through to the champion; not captured',
    documentedBody: z.looseObject({ ...named, stream, ...subjects }),
    answer: z.looseObject({}),
    alsoStreams: true,
  },
  {
    endpoint: 'embeddings',
    summary: 'Pass a request for embeddings through to the champion; not captured',
    documentedBody: z.looseObject({ ...named, ...subjects }),
    answer: z.looseObject({}),
    alsoStreams: false,
  },
];

const modelList = z.strictObject({
  object: z.literal('list'),
  data: z.array(
    z.strictObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.literal('understudy') }),
  ),
});

/** The OpenAI-compatible surface: bodies belong to the upstream, errors have OpenAI's shape. */
export function gatewayRoutes(app: FastifyInstance, table: RouteTable, gateway: Gateway): void {
  void app.register(async (scope) => {
    // As it came: it goes to the upstream byte for byte, and its JSON is looked at by the gateway.
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

    for (const { endpoint, ...documented } of ENDPOINTS) {
      table.define(
        scope,
        {
          method: 'POST',
          path: `/v1/${endpoint}`,
          scope: 'serve',
          headers: {
            'x-understudy-subject':
              'The person or account; else safety_identifier, user or metadata.user_id of the body',
            'x-understudy-session': 'The conversation it belongs to',
            'idempotency-key': 'The same for every attempt at one request: answered and stored once, for ten minutes',
          },
          errors: [
            'unknown_model',
            'unknown_version',
            'version_rejected',
            'upstream_failed',
            'overloaded',
            'idempotency_key_reused',
          ],
          openAi: true,
          bodyLimit: BODY_LIMIT,
          ...documented,
        },
        async ({ request, reply, principal }) => {
          const client = new AbortController();
          reply.raw.once('close', () => {
            if (!reply.raw.writableFinished) client.abort();
          });
          const answer = await gateway.answer({
            endpoint,
            body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
            caller: principal.keyId,
            headers: request.headers,
            maySee: (model) => maySee(principal, model),
            client: client.signal,
          });
          return reply.code(answer.status).headers(answer.headers).send(answer.body);
        },
      );
    }
  });

  table.define(
    app,
    {
      method: 'GET',
      path: '/v1/models',
      summary: 'The models an app can ask for',
      scope: 'serve',
      answer: modelList,
      openAi: true,
    },
    async ({ principal }) => ({
      object: 'list' as const,
      data: gateway
        .models((model) => maySee(principal, model))
        .map(({ name, createdAt }) => ({
          id: name,
          object: 'model' as const,
          created: Math.floor(createdAt.getTime() / 1_000),
          owned_by: 'understudy' as const,
        })),
    }),
  );
}
