import protobuf from 'protobufjs/light.js';

const any = 'AnyValue';
const field = (type: string, id: number) => ({ type, id });
const list = (type: string, id: number) => ({ rule: 'repeated', type, id });

/**
 * The messages of OTLP that logs need, with the field numbers of opentelemetry-proto 1.x (and `google.rpc.Status`). Fields
 * that nothing here reads are left out: a decoder skips them, as it skips those that later versions add.
 */
const root = protobuf.Root.fromJSON({
  nested: {
    AnyValue: {
      oneofs: {
        value: {
          oneof: ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue', 'kvlistValue', 'bytesValue'],
        },
      },
      fields: {
        stringValue: field('string', 1),
        boolValue: field('bool', 2),
        intValue: field('int64', 3),
        doubleValue: field('double', 4),
        arrayValue: field('ArrayValue', 5),
        kvlistValue: field('KeyValueList', 6),
        bytesValue: field('bytes', 7),
      },
    },
    ArrayValue: { fields: { values: list(any, 1) } },
    KeyValueList: { fields: { values: list('KeyValue', 1) } },
    KeyValue: { fields: { key: field('string', 1), value: field(any, 2) } },
    Resource: { fields: { attributes: list('KeyValue', 1) } },
    Scope: { fields: { name: field('string', 1), version: field('string', 2), attributes: list('KeyValue', 3) } },
    LogRecord: {
      fields: {
        timeUnixNano: field('fixed64', 1),
        body: field(any, 5),
        attributes: list('KeyValue', 6),
        traceId: field('bytes', 9),
        spanId: field('bytes', 10),
        observedTimeUnixNano: field('fixed64', 11),
        eventName: field('string', 12),
      },
    },
    ScopeLogs: { fields: { scope: field('Scope', 1), logRecords: list('LogRecord', 2) } },
    ResourceLogs: { fields: { resource: field('Resource', 1), scopeLogs: list('ScopeLogs', 2) } },
    ExportLogsServiceRequest: { fields: { resourceLogs: list('ResourceLogs', 1) } },
    ExportLogsPartialSuccess: { fields: { rejectedLogRecords: field('int64', 1), errorMessage: field('string', 2) } },
    ExportLogsServiceResponse: { fields: { partialSuccess: field('ExportLogsPartialSuccess', 1) } },
    Status: { fields: { code: field('int32', 1), message: field('string', 2) } },
  },
});

type Name = 'ExportLogsServiceRequest' | 'ExportLogsServiceResponse' | 'Status';

/** Protobuf as the JSON mapping of OTLP spells it, ids included (hex, not base64). Throws for what is not the message. */
export function decodeMessage(name: Name, bytes: Uint8Array): Record<string, unknown> {
  const type = root.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String });
}

export function encodeMessage(name: Name, message: Record<string, unknown>): Buffer {
  const type = root.lookupType(name);
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}
