import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs/light.js';

const field = (type: string, id: number) => ({ type, id });
const list = (type: string, id: number) => ({ rule: 'repeated', type, id });

/** The part of opentelemetry-proto 1.x that traces are exported in. */
const root = protobuf.Root.fromJSON({
  nested: {
    AnyValue: {
      oneofs: { value: { oneof: ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue'] } },
      fields: {
        stringValue: field('string', 1),
        boolValue: field('bool', 2),
        intValue: field('int64', 3),
        doubleValue: field('double', 4),
        arrayValue: field('ArrayValue', 5),
      },
    },
    ArrayValue: { fields: { values: list('AnyValue', 1) } },
    KeyValue: { fields: { key: field('string', 1), value: field('AnyValue', 2) } },
    Resource: { fields: { attributes: list('KeyValue', 1) } },
    Scope: { fields: { name: field('string', 1), version: field('string', 2) } },
    Status: { fields: { message: field('string', 2), code: field('int32', 3) } },
    Span: {
      fields: {
        traceId: field('bytes', 1),
        spanId: field('bytes', 2),
        parentSpanId: field('bytes', 4),
        name: field('string', 5),
        kind: field('int32', 6),
        startTimeUnixNano: field('fixed64', 7),
        endTimeUnixNano: field('fixed64', 8),
        attributes: list('KeyValue', 9),
        status: field('Status', 15),
      },
    },
    ScopeSpans: { fields: { scope: field('Scope', 1), spans: list('Span', 2) } },
    ResourceSpans: { fields: { resource: field('Resource', 1), scopeSpans: list('ScopeSpans', 2) } },
    ExportTraceServiceRequest: { fields: { resourceSpans: list('ResourceSpans', 1) } },
  },
});

export interface CollectedSpan {
  name: string;
  /** 3 is CLIENT. */
  kind: number;
  /** Ids in hex; empty without a parent. */
  traceId: string;
  spanId: string;
  parentSpanId: string;
  startedAtMs: number;
  endedAtMs: number;
  attributes: Record<string, unknown>;
  resource: Record<string, unknown>;
  /** 2 is ERROR. */
  status: number;
}

export interface OtlpCollector {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  url: string;
  spans: CollectedSpan[];
  /** `path content-type` of each export. */
  exports: string[];
  /** Bodies as they came, decompressed: whatever is in them left the process. */
  bodies: Buffer[];
  /** Answered from now on. */
  status: number;
  close(): Promise<void>;
}

/** A collector that takes OTLP/HTTP traces in protobuf and JSON and keeps them. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    const type = String(request.headers['content-type']);
    collector.exports.push(`${request.url} ${type}`);
    collector.bodies.push(body);
    if (collector.status === 200) {
      const isJson = type.startsWith('application/json');
      collector.spans.push(...spansOf(isJson ? (JSON.parse(body.toString()) as Json) : decode(body)));
    }
    response.writeHead(collector.status, { 'content-type': type });
    response.end(type.startsWith('application/json') ? '{}' : '');
  }
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: OtlpCollector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: [],
    exports: [],
    bodies: [],
    status: 200,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return collector;
}

type Json = Record<string, unknown>;

function decode(bytes: Buffer): Json {
  const type = root.lookupType('ExportTraceServiceRequest');
  const hex = (value: unknown): unknown =>
    Buffer.isBuffer(value)
      ? value.toString('hex')
      : Array.isArray(value)
        ? value.map(hex)
        : value !== null && typeof value === 'object'
          ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, hex(inner)]))
          : value;
  return hex(type.toObject(type.decode(bytes), { longs: String })) as Json;
}

function spansOf(request: Json): CollectedSpan[] {
  const of = (value: unknown) => (value ?? []) as Json[];
  return of(request.resourceSpans).flatMap(({ resource, scopeSpans }) =>
    of(scopeSpans).flatMap(({ spans }) =>
      of(spans).map((span) => ({
        name: String(span.name),
        kind: Number(span.kind),
        traceId: String(span.traceId),
        spanId: String(span.spanId),
        parentSpanId: String(span.parentSpanId ?? ''),
        startedAtMs: Number(span.startTimeUnixNano) / 1e6,
        endedAtMs: Number(span.endTimeUnixNano) / 1e6,
        attributes: plain(span.attributes),
        resource: plain((resource as Json).attributes),
        status: Number((span.status as Json | undefined)?.code ?? 0),
      })),
    ),
  );
}

function plain(attributes: unknown): Record<string, unknown> {
  const value = (any: Json): unknown =>
    any.arrayValue === undefined
      ? (any.stringValue ?? any.boolValue ?? any.doubleValue ?? Number(any.intValue))
      : ((any.arrayValue as Json).values as Json[]).map(value);
  return Object.fromEntries(((attributes ?? []) as Json[]).map(({ key, value: any }) => [key, value(any as Json)]));
}
