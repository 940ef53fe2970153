import { type DestinationStream, type Logger, pino } from 'pino';

/** Fields that may hold conversation text or a secret, whatever object they are in. */
const HIDDEN = new Set([
  'request',
  'response',
  'messages',
  'content',
  'body',
  'authorization',
  'cookie',
  'api_key',
  'apiKey',
  'subject',
  'x-understudy-subject',
]);
const DEEPEST = 8;

/**
 * A logger that writes JSON lines to standard output, or to `destination`. Texts and secrets do not get through it: fields
 * that may hold them are replaced at any depth, and an error is reduced to its type, code and stack frames, because the
 * messages of drivers quote values.
 *
 * @param level `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`
 */
export function createLogger(name: string, level = 'info', destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    formatters: { log: redactObject },
    serializers: {
      err: describeError,
      error: describeError,
      // The path without its query: a query may name a subject.
      req: (request: { method?: string; url?: string }) => ({
        method: request.method,
        path: request.url?.split('?')[0],
      }),
      res: (response: { statusCode?: number }) => ({ status: response.statusCode }),
    },
  };
  const logger = destination === undefined ? pino(options) : pino(options, destination);
  // pino formats what is logged, but not what a child is bound to. Children inherit this from their parent.
  const child = logger.child as unknown as (bindings: object, more?: object) => Logger;
  logger.child = function (this: Logger, bindings: Record<string, unknown>, more?: object) {
    return child.call(this, redactObject(bindings), more);
  } as unknown as typeof logger.child;
  return logger;
}

function redactObject(fields: Record<string, unknown>): Record<string, unknown> {
  return redact(fields, 0) as Record<string, unknown>;
}

function redact(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return depth > DEEPEST ? '[deep]' : value.map((item) => redact(item, depth + 1));
  // Errors, requests and other instances have serializers of their own, and may be circular.
  if (!isPlain(value)) return value;
  if (depth > DEEPEST) return '[deep]';
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, HIDDEN.has(key) ? '[redacted]' : redact(inner, depth + 1)]),
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = (error as NodeJS.ErrnoException).code;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
    stack: frames.slice(0, 12).map((line) => line.trim()),
  };
}
