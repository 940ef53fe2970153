import { type Attributes, attributesOf, isObject, listOf, plainValue } from './any-value.js';

/** One log record with what its scope and resource say about it. */
export interface OtlpEvent {
  /** `EventName`, else the attribute `event.name` of older senders; empty for a plain log line. */
  name: string;
  /** Milliseconds since 1970; undefined when the record says no time. */
  at: number | undefined;
  /** `trace:span` in hex; undefined outside a span. */
  span: string | undefined;
  /** Of the record, else of its body where that is a map, else of scope or resource. */
  attributes: Attributes;
}

/**
 * The records of an export request in OTLP's JSON mapping, one thunk each, so that one that cannot be read does not keep
 * the others out. Unknown members are ignored, as OTLP asks of receivers; undefined when it is no export request.
 */
export function readEvents(request: unknown): (() => OtlpEvent)[] | undefined {
  if (!isObject(request)) return undefined;
  if (!isAbsentOrList(request.resourceLogs)) return undefined;
  const events: (() => OtlpEvent)[] = [];
  for (const resourceLogs of listOf(request.resourceLogs)) {
    if (!isObject(resourceLogs) || !isAbsentOrList(resourceLogs.scopeLogs)) return undefined;
    for (const scopeLogs of listOf(resourceLogs.scopeLogs)) {
      if (!isObject(scopeLogs) || !isAbsentOrList(scopeLogs.logRecords)) return undefined;
      for (const record of listOf(scopeLogs.logRecords)) {
        events.push(() => toEvent(record, [resourceLogs.resource, scopeLogs.scope]));
      }
    }
  }
  return events;
}

function toEvent(record: unknown, around: readonly unknown[]): OtlpEvent {
  if (!isObject(record)) return { name: '', at: undefined, span: undefined, attributes: new Map() };
  const body = plainValue(record.body);
  const attributes = new Map([
    ...around.flatMap((of) => (isObject(of) ? attributesOf(of.attributes) : [])),
    ...(isObject(body) ? Object.entries(body) : []),
    ...attributesOf(record.attributes),
  ]);
  const named = typeof record.eventName === 'string' ? record.eventName : '';
  const older = attributes.get('event.name');
  return {
    name: named === '' && typeof older === 'string' ? older : named,
    at: milliseconds(record.timeUnixNano) ?? milliseconds(record.observedTimeUnixNano),
    span: spanOf(record.traceId, record.spanId),
    attributes,
  };
}

/** Nanoseconds as a decimal string, or as a number. 0 means unknown. */
function milliseconds(nanoseconds: unknown): number | undefined {
  const text = typeof nanoseconds === 'number' ? String(nanoseconds) : nanoseconds;
  if (typeof text !== 'string' || !/^\d+(\.\d+)?(e\+?\d+)?$/i.test(text) || text.length > 40) return undefined;
  const value = Math.floor(Number(text) / 1e6);
  // What a date can hold.
  return value > 0 && value <= 8.64e15 ? value : undefined;
}

/** Ids are hex in JSON; base64, as plain protobuf JSON has it, is understood too. All zeros means none. */
function spanOf(traceId: unknown, spanId: unknown): string | undefined {
  const trace = hex(traceId, 16);
  const span = hex(spanId, 8);
  return trace === undefined || span === undefined ? undefined : `${trace}:${span}`;
}

function hex(id: unknown, bytes: number): string | undefined {
  if (typeof id !== 'string' || id.length > 64) return undefined;
  const text = /^[0-9a-f]+$/i.test(id) && id.length === 2 * bytes ? id : Buffer.from(id, 'base64').toString('hex');
  return text.length === 2 * bytes && !/^0+$/.test(text) ? text.toLowerCase() : undefined;
}

function isAbsentOrList(value: unknown): boolean {
  return value === undefined || value === null || Array.isArray(value);
}
