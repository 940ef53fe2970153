import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { maySee } from '../../access/index.js';
import { type Endpoint, type Gateway, readableOf } from '../../gateway/index.js';
import type { RouteTable } from '../define-route.js';
import { takeRawJson } from '../json-body.js';

/** Room for a few images as data URLs. */
export const BODY_LIMIT = 20 * 1_024 * 1_024;

const named = { model: z.string().min(1).describe('A model, or `model@3` to pin a version outside experiments') };
/** What belongs to the upstream is described, not checked: whatever else stands there is for the upstream to refuse. */
const upstreams = (description: string) => z.unknown().optional().describe(description);
const subjects = {
  safety_identifier: upstreams('The subject, where the header does not name one'),
  user: upstreams('The subject, where neither the header nor safety_identifier names one'),
};

const chatRequest = z.looseObject({
  ...named,
  messages: upstreams('The conversation: `[{"role": "user", "content": …}, …]`'),
  stream: upstreams("true: answered by server-sent events, the upstream's own but for the id of each chunk"),
  store: upstreams('false: routed, not captured'),
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
    documentedBody: z.looseObject({
      ...named,
      stream: upstreams('true: answered by server-sent events, the upstream\u2019s own'),
      ...subjects,
    }),
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
    takeRawJson(scope);

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
            'adapter_dropped',
            'upstream_failed',
            'overloaded',
            'idempotency_key_reused',
          ],
          openAi: true,
          spendsTokens: true,
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
            charge: principal.budget?.charge,
          });
          reply.code(answer.status).headers(answer.headers);
          // What is left to this key, not what is left to us at the upstream.
          if (principal.budget !== null) reply.headers(principal.budget.headers());
          return reply.send(typeof answer.body === 'string' ? answer.body : readableOf(answer.body));
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
