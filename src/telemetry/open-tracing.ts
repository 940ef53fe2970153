import type { Logger } from 'pino';
import type { Tracing } from './tracing.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Tracing as the standard `OTEL_*` variables order it, by OTLP over HTTP. Undefined, and nothing of the SDK loaded, when
 * no endpoint is set, `OTEL_SDK_DISABLED` is true or `OTEL_TRACES_EXPORTER` is `none`; also for a protocol that is not
 * spoken here, with a warning: a gateway does not stay down for its telemetry.
 */
export async function openTracing(
  environment: Environment,
  options: { version: string; logger: Logger },
): Promise<Tracing | undefined> {
  const set = (name: string) => environment[name]?.trim() || undefined;
  const endpoint = set('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? set('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (endpoint === undefined || set('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  if ((set('OTEL_TRACES_EXPORTER') ?? 'otlp') !== 'otlp') return undefined;
  const protocol = set('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? set('OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/protobuf';
  if (protocol !== 'http/protobuf' && protocol !== 'http/json') {
    options.logger.warn({ protocol }, 'no spans are sent: OTLP is spoken as http/protobuf or http/json only');
    return undefined;
  }
  const { startTracing } = await import('./otlp-tracing.js');
  return startTracing({ protocol, ...options });
}
