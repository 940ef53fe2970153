import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type TextMapGetter, trace } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import { errorDetail } from '../errors.js';
import { endAttributes, startAttributes } from './call-attributes.js';
import type { TracedCall, Tracing } from './tracing.js';

/** A collector that does not answer must not hold a shutdown up. */
const LAST_EXPORT_MS = 5_000;
/** One line a minute says that spans are lost, however many are. */
const QUIET_MS = 60_000;

type Headers = TracedCall['headers'];
const getter: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => headers[name],
};

/**
 * Spans by the SDK of OpenTelemetry, which reads all else that `OTEL_*` variables say: endpoint, headers, sampler, limits,
 * batches. Nothing is registered globally; contexts are handed on explicitly.
 */
export async function startTracing(options: {
  protocol: 'http/protobuf' | 'http/json';
  version: string;
  logger: Logger;
}): Promise<Tracing> {
  const { protocol, version, logger } = options;
  const { OTLPTraceExporter } = await (protocol === 'http/json'
    ? import('@opentelemetry/exporter-trace-otlp-http')
    : import('@opentelemetry/exporter-trace-otlp-proto'));
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'understudy', 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(reporting(new OTLPTraceExporter(), logger))],
  });
  const tracer = provider.getTracer('understudy', version);
  const propagator = new W3CTraceContextPropagator();
  return {
    start(call) {
      const parent = propagator.extract(ROOT_CONTEXT, call.headers, getter);
      const span = tracer.startSpan(
        `${call.operation} ${call.model}`,
        { kind: SpanKind.CLIENT, startTime: call.startedAt, attributes: startAttributes(call) },
        parent,
      );
      const headers: Record<string, string> = {};
      propagator.inject(trace.setSpan(parent, span), headers, {
        set: (carrier, name, value) => {
          carrier[name] = value;
        },
      });
      return {
        headers,
        end(end) {
          if (!span.isRecording()) return;
          span.setAttributes(endAttributes(end));
          if (end.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    async close() {
      const shutdown = provider.shutdown().catch(() => undefined);
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, LAST_EXPORT_MS);
      });
      await Promise.race([shutdown, patience]);
      clearTimeout(timer);
    },
  };
}

/** The exporter, with a line in the log when spans could not be sent. */
function reporting(exporter: SpanExporter, logger: Logger): SpanExporter {
  let quietUntil = 0;
  return {
    export(spans, done) {
      exporter.export(spans, (result: ExportResult) => {
        if (result.code === ExportResultCode.FAILED && Date.now() >= quietUntil) {
          quietUntil = Date.now() + QUIET_MS;
          logger.warn({ spans: spans.length, detail: errorDetail(result.error) }, 'spans not sent');
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    async forceFlush() {
      await exporter.forceFlush?.();
    },
  };
}
