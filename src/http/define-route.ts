import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import {
  type Authenticator,
  type FeedbackClaim,
  maySee,
  type Principal,
  requireScope,
  type Scope,
} from '../access/index.js';
import { type ErrorCode, UnderstudyError } from '../errors.js';
import { modelName } from '../policy/index.js';
import { describeProblems } from './describe-problems.js';

/** What is known about a route: enough to check its input and to document it. */
export interface RouteDefinition<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> {
  method: 'GET' | 'POST' | 'DELETE';
  /** With `:name` for parameters. */
  path: string;
  /** One line for the document. */
  summary: string;
  /** What a key must have; null: no key is needed. */
  scope: Scope | null;
  /** The claim of a feedback token that stands in place of a key; undefined for a request without one. */
  claimOf?: (request: FastifyRequest) => FeedbackClaim | undefined;
  params?: Params;
  query?: Query;
  body?: Body;
  /** Body as documented, where its items are checked one by one and `body` only checks the list. */
  documentedBody?: z.ZodType;
  /** Header → what it is for, and what it may be where that is checked. */
  headers?: Record<string, string | { description: string; schema: z.ZodType }>;
  /** Body of the answer with status 200. */
  answer: Answer;
  /** Type of the answer, where it is not JSON. */
  contentType?: string;
  /** May answer by server-sent events instead. */
  alsoStreams?: boolean;
  /** Codes that it may answer with besides those every route may. */
  errors?: readonly ErrorCode[];
  /** Uses tokens, which count on the budget of the key. */
  spendsTokens?: boolean;
  /** Errors have OpenAI's shape. */
  openAi?: boolean;
  /** Takes and answers OTLP, in JSON or protobuf; its errors are `google.rpc.Status`. */
  otlp?: boolean;
  /** In bytes. */
  bodyLimit?: number;
}

export interface RouteInput<Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  /** Of a route with a scope, unless the request came with a feedback token. */
  principal: Principal;
  request: FastifyRequest;
  reply: FastifyReply;
}

/** Registers routes on fastify and remembers their definitions for the document. */
export interface RouteTable {
  readonly definitions: readonly RouteDefinition[];
  define<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType, Answer extends z.ZodType>(
    app: FastifyInstance,
    definition: RouteDefinition<Params, Query, Body, Answer>,
    handler: (
      input: RouteInput<z.output<Params>, z.output<Query>, z.output<Body>>,
    ) => Promise<z.input<Answer> | FastifyReply>,
  ): void;
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | undefined;
    feedbackClaim: FeedbackClaim | undefined;
  }
  interface FastifyContextConfig {
    openAi?: boolean;
    otlp?: boolean;
  }
}

/**
 * Every route asks for its key before the body is read, then checks parameters, query and body against its schemas. A
 * `:model` that the key may not see is answered as unknown before anything else is looked at.
 */
export function createRouteTable(authenticator: Authenticator): RouteTable {
  const definitions: RouteDefinition[] = [];
  return {
    definitions,
    define(app, definition, handler) {
      definitions.push(definition as unknown as RouteDefinition);
      const { scope } = definition;
      app.route({
        method: definition.method,
        url: definition.path,
        config: { openAi: definition.openAi ?? false, otlp: definition.otlp ?? false },
        ...(definition.bodyLimit === undefined ? {} : { bodyLimit: definition.bodyLimit }),
        onRequest(request, reply, done) {
          if (scope === null) return done();
          try {
            request.feedbackClaim = definition.claimOf?.(request);
          } catch (error) {
            return done(error as Error);
          }
          if (request.feedbackClaim !== undefined) return done();
          const enter = (principal: Principal) => {
            let refused: Error | undefined;
            try {
              letIn(definition as unknown as RouteDefinition, principal, scope, request, reply);
            } catch (error) {
              refused = error as Error;
            }
            done(refused);
          };
          // A busy key waits for nobody.
          const known = authenticator.recall(request.headers.authorization);
          if (known !== undefined) return enter(known);
          authenticator.authenticate(request.headers.authorization).then(enter, done);
        },
        async handler(request, reply) {
          const input = {
            params: check(definition.params, request.params, 'path'),
            query: check(definition.query, request.query, 'query'),
            body: check(definition.body, request.body, 'body'),
            principal: request.principal as Principal,
            request,
            reply,
          };
          return handler(input as Parameters<typeof handler>[0]);
        },
      });
    },
  };
}

/** Throws `rate_limited`, `forbidden` and `unknown_model`. Every request of a key counts, also one that is refused after. */
function letIn(
  { spendsTokens = false }: RouteDefinition,
  principal: Principal,
  scope: Scope,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (principal.budget !== null) {
    const refusal = principal.budget.admit(spendsTokens);
    reply.headers(principal.budget.headers());
    if (refusal !== undefined) {
      const { budget, limit, retryAfter } = refusal;
      reply.header('retry-after', String(retryAfter));
      throw new UnderstudyError('rate_limited', { budget, limit, retry_after: retryAfter });
    }
  }
  requireScope(principal, scope);
  const { model } = request.params as { model?: string };
  // Nor is Postgres asked for a name that no model can have: it takes no NUL.
  if (model !== undefined && !(maySee(principal, model) && modelName.safeParse(model).success))
    throw new UnderstudyError('unknown_model', { model: model.slice(0, 80) });
  request.principal = principal;
}

function check(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UnderstudyError('invalid_request', { detail: describeProblems(parsed.error.issues, where) });
}
