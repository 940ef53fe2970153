import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors.js';
import type { RouteDefinition } from './define-route.js';

const OURS = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
  }),
});
const OPENAI = z.looseObject({
  error: z.looseObject({
    message: z.string(),
    type: z.string(),
    code: z.string().nullish(),
    param: z.string().nullish(),
  }),
});

const OTLP_STATUS = z.strictObject({ code: z.int(), message: z.string() });
const PROTOBUF = { 'application/x-protobuf': { schema: { type: 'string', format: 'binary' } } };

/** Codes that any route may answer with. */
const ANYWHERE: readonly ErrorCode[] = ['internal', 'database_unreachable'];
const WITH_KEY: readonly ErrorCode[] = ['unauthorized', 'forbidden', 'rate_limited', 'keys_unavailable'];
const WITH_INPUT: readonly ErrorCode[] = ['invalid_request'];
const WITH_BODY: readonly ErrorCode[] = ['payload_too_large', 'unsupported_media_type'];

const WITH_OTLP: readonly ErrorCode[] = ['payload_too_large', 'unsupported_otlp'];

/** The OpenAPI 3.1 document of the routes, made from the very schemas that check their input. */
export function describeApi(definitions: readonly RouteDefinition[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const definition of definitions) {
    const path = definition.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [definition.method.toLowerCase()]: operation(definition) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Understudy', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', bearerFormat: 'us_…' },
        feedbackToken: { type: 'http', scheme: 'bearer', bearerFormat: 'usft_…' },
      },
      schemas: {
        Error: schema(OURS, 'output'),
        OpenAiError: schema(OPENAI, 'output'),
        OtlpStatus: schema(OTLP_STATUS, 'output'),
      },
    },
  };
}

function operation(definition: RouteDefinition): Record<string, unknown> {
  const { scope, body, documentedBody, contentType = 'application/json' } = definition;
  const documented = documentedBody ?? body;
  return {
    summary: definition.summary,
    operationId: `${definition.method.toLowerCase()}${definition.path.replace(/[^a-zA-Z0-9]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    ...(scope === null
      ? { security: [] }
      : {
          security: [{ key: [] }, ...(definition.claimOf === undefined ? [] : [{ feedbackToken: [] }])],
          description: `Needs a key with the scope \`${scope}\`${
            definition.claimOf === undefined
              ? ''
              : ', or a feedback token, for feedback of a person on its own interaction'
          }.`,
        }),
    parameters: [
      ...parameters(definition.params, 'path'),
      ...parameters(definition.query, 'query'),
      ...Object.entries(definition.headers ?? {}).map(([name, about]) => ({
        name,
        in: 'header',
        ...(typeof about === 'string'
          ? { description: about, schema: { type: 'string' } }
          : { description: about.description, schema: schema(about.schema, 'input') }),
      })),
    ],
    ...(documented === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: schema(documented, 'input') },
              ...(definition.otlp ? PROTOBUF : {}),
            },
          },
        }),
    responses: {
      200: {
        description: 'OK',
        content: {
          [contentType]: { schema: schema(definition.answer, 'output') },
          ...(definition.alsoStreams ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
          ...(definition.otlp ? PROTOBUF : {}),
        },
      },
      ...errorResponses(definition),
    },
  };
}

function errorResponses(definition: RouteDefinition): Record<string, unknown> {
  const { scope, body, documentedBody, params, query } = definition;
  const hasBody = (body ?? documentedBody) !== undefined;
  const codes = new Set<ErrorCode>([
    ...ANYWHERE,
    ...(scope === null ? [] : WITH_KEY),
    ...(hasBody || params !== undefined || query !== undefined ? WITH_INPUT : []),
    ...(hasBody ? (definition.otlp ? WITH_OTLP : WITH_BODY) : []),
    ...(definition.errors ?? []),
  ]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(ERRORS[code].status, [...(byStatus.get(ERRORS[code].status) ?? []), code]);
  const name = definition.otlp ? 'OtlpStatus' : definition.openAi ? 'OpenAiError' : 'Error';
  const $ref = `#/components/schemas/${name}`;
  const also = definition.otlp ? PROTOBUF : {};
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => [
      status,
      { description: found.join(', '), content: { 'application/json': { schema: { $ref } }, ...also } },
    ]),
  );
}

function parameters(shape: z.ZodType | undefined, where: 'path' | 'query'): unknown[] {
  if (shape === undefined) return [];
  const { properties = {}, required = [] } = schema(shape, 'input') as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function schema(type: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(type, { io, target: 'draft-2020-12' }) as Record<
    string,
    unknown
  >;
  return rest;
}
