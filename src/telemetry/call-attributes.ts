import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { TracedCall, TracedEnd } from './tracing.js';

type Json = Readonly<Record<string, unknown>>;

/** Hosts whose provider has a name in the conventions. Whoever else speaks the OpenAI protocol is `openai` there. */
const PROVIDERS: readonly (readonly [RegExp, string])[] = [
  [/\.openai\.azure\.com$/, 'azure.ai.openai'],
  [/(^|\.)mistral\.ai$/, 'mistral_ai'],
  [/(^|\.)deepseek\.com$/, 'deepseek'],
  [/(^|\.)groq\.com$/, 'groq'],
  [/(^|\.)perplexity\.ai$/, 'perplexity'],
  [/(^|\.)x\.ai$/, 'x_ai'],
  [/(^|\.)anthropic\.com$/, 'anthropic'],
  [/generativelanguage\.googleapis\.com$/, 'gcp.gemini'],
];

/** Attributes from the start on: samplers may look at them. */
export function startAttributes({ operation, model, request }: TracedCall): Attributes {
  return defined({
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': model,
    'understudy.model': model,
    'gen_ai.request.max_tokens': integer(request.max_completion_tokens ?? request.max_tokens),
    'gen_ai.request.temperature': number(request.temperature),
    'gen_ai.request.top_p': number(request.top_p),
    'gen_ai.request.top_k': integer(request.top_k),
    'gen_ai.request.frequency_penalty': number(request.frequency_penalty),
    'gen_ai.request.presence_penalty': number(request.presence_penalty),
    'gen_ai.request.seed': integer(request.seed),
    'gen_ai.request.choice.count': request.n === 1 ? undefined : integer(request.n),
    'gen_ai.request.stream': request.stream === true ? true : undefined,
    'gen_ai.request.reasoning.level': level(request.reasoning_effort),
    'gen_ai.output.type': outputType(request.response_format),
  });
}

export function endAttributes({ response, url, ...end }: TracedEnd): Attributes {
  const usage = object(response?.usage);
  const address = addressOf(url);
  return defined({
    'gen_ai.provider.name': PROVIDERS.find(([host]) => host.test(address?.hostname ?? ''))?.[1],
    'gen_ai.response.id': end.interaction,
    'gen_ai.response.model': name(response?.model),
    'gen_ai.response.finish_reasons': finishReasons(response),
    'gen_ai.usage.input_tokens': integer(usage?.prompt_tokens),
    'gen_ai.usage.output_tokens': integer(usage?.completion_tokens),
    'gen_ai.usage.cache_read.input_tokens': integer(object(usage?.prompt_tokens_details)?.cached_tokens),
    'gen_ai.usage.reasoning.output_tokens': integer(object(usage?.completion_tokens_details)?.reasoning_tokens),
    'server.address': address?.hostname,
    'server.port':
      address === undefined ? undefined : Number(address.port) || (address.protocol === 'https:' ? 443 : 80),
    'error.type': end.error,
    'understudy.interaction': end.interaction,
    'understudy.version': end.version,
    'understudy.assigned_version': end.assignedVersion ?? undefined,
    'understudy.arm': end.arm ?? undefined,
    'understudy.experiment': end.experiment ?? undefined,
    'understudy.fallback': end.fallback ? true : undefined,
  });
}

function defined(attributes: Record<string, AttributeValue | undefined>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function integer(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

/** Names of models and reasons; a client or an upstream could put anything there. */
function name(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 200) : undefined;
}

function level(value: unknown): string | undefined {
  return typeof value === 'string' && /^[a-z]{1,16}$/.test(value) ? value : undefined;
}

function outputType(format: unknown): string | undefined {
  const type = object(format)?.type;
  if (type === 'json_object' || type === 'json_schema') return 'json';
  return type === 'text' ? 'text' : undefined;
}

function finishReasons(response: Json | null): string[] | undefined {
  if (!Array.isArray(response?.choices)) return undefined;
  const reasons = (response.choices as unknown[]).map((choice) => name(object(choice)?.finish_reason));
  // In the order of the choices: one that is missing would move the others.
  return reasons.every((reason) => reason !== undefined) && reasons.length > 0 ? (reasons as string[]) : undefined;
}

function object(value: unknown): Json | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Json) : undefined;
}

function addressOf(url: string | undefined): URL | undefined {
  return url === undefined || !URL.canParse(url) ? undefined : new URL(url);
}
