import { FALLBACK_TAG } from '../interactions/index.js';
import type { CallSpan, Tracing } from '../telemetry/index.js';
import type { Attempt } from './attempts.js';
import type { Choice } from './choose-version.js';
import type { Directory } from './directory.js';
import type { Endpoint } from './endpoint.js';
import type { ModelCall } from './model-call.js';
import type { ModelRequest } from './parse-request.js';
import { GONE } from './upstreams.js';

const OPERATIONS = {
  'chat/completions': 'chat',
  completions: 'text_completion',
  embeddings: 'embeddings',
} as const satisfies Record<Endpoint, string>;

/** Undefined where nothing is traced. */
export function startSpan(
  tracing: Tracing | undefined,
  { endpoint, headers }: Pick<ModelCall, 'endpoint' | 'headers'>,
  { model, body }: Pick<ModelRequest, 'model' | 'body'>,
  startedAt: Date,
): CallSpan | undefined {
  return tracing?.start({ operation: OPERATIONS[endpoint], model, startedAt, headers, request: body });
}

/** Ends a call's span, where it has one. */
export function endSpan(
  {
    span,
    attempt,
    request,
    choice,
    tags,
  }: {
    span: CallSpan | undefined;
    attempt: Pick<Attempt, 'id'>;
    request: Pick<ModelRequest, 'model'>;
    choice: Choice;
    tags: Readonly<Record<string, string>>;
  },
  end: { version: number; status: string; why: string; json: Record<string, unknown> | null },
  directory: Pick<Directory, 'model'>,
): void {
  if (span === undefined) return;
  const urls = directory.model(request.model)?.targets.get(end.version)?.urls ?? [];
  span.end({
    interaction: attempt.id,
    version: end.version,
    assignedVersion: choice.assignedVersion,
    arm: choice.arm,
    experiment: choice.experimentId,
    fallback: tags[FALLBACK_TAG] !== undefined,
    url: urls.length === 1 ? urls[0] : undefined,
    response: end.json,
    error: end.status === 'complete' ? undefined : errorType(end.why),
  });
}

/** `503` of "status 503", `timeout` of "timeout: …": few different values. */
function errorType(why: string): string {
  return why === GONE
    ? 'cancelled'
    : why
        .replace(/^status /, '')
        .split(':')[0]!
        .slice(0, 40);
}
