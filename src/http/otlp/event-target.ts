import type { Attributes } from './any-value.js';
import type { OtlpEvent } from './read-events.js';

/** Which interaction an event is about: one of the gateway's by its id, or one that came by OTLP by its external id. */
export type Target = { interaction: string; externalId?: never } | { externalId: string; interaction?: never };

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** By `gen_ai.response.id`, which in an answer of the gateway is the interaction's own; else by the span it belongs to. */
export function targetOf({ attributes, span }: OtlpEvent): Target | undefined {
  const response = text(attributes, 'gen_ai.response.id');
  if (response !== undefined)
    return UUID7.test(response) ? { interaction: response.toLowerCase() } : { externalId: response };
  return span === undefined ? undefined : { externalId: span };
}

/** `understudy.model` of record, scope or resource, else the one a key is bound to, else the model that was asked for. */
export function modelOf(attributes: Attributes, onlyModel: string | null): string | undefined {
  return text(attributes, 'understudy.model') ?? onlyModel ?? text(attributes, 'gen_ai.request.model');
}

/** An attribute that is text and not empty. */
export function text(attributes: Attributes, name: string): string | undefined {
  const value = attributes.get(name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
