import { listOf } from './any-value.js';
import { chatChoices, chatMessages, chatTools, systemMessages } from './chat-messages.js';
import { modelOf, type Target, targetOf, text } from './event-target.js';
import type { OtlpEvent } from './read-events.js';

/** What is not a conversation is not an interaction. */
const OPERATIONS = new Set(['chat', 'generate_content', 'text_completion']);

/** Attribute → member of the chat-completions request. */
const SETTINGS = {
  'gen_ai.request.temperature': 'temperature',
  'gen_ai.request.top_p': 'top_p',
  'gen_ai.request.top_k': 'top_k',
  'gen_ai.request.max_tokens': 'max_tokens',
  'gen_ai.request.seed': 'seed',
  'gen_ai.request.choice.count': 'n',
  'gen_ai.request.frequency_penalty': 'frequency_penalty',
  'gen_ai.request.presence_penalty': 'presence_penalty',
  'gen_ai.request.stop_sequences': 'stop',
  'gen_ai.request.stream': 'stream',
  'gen_ai.request.reasoning.level': 'reasoning_effort',
} as const;

export type Read<T> = { value: T } | { rejected: string } | { ignored: string };

/**
 * A `gen_ai.client.inference.operation.details` event as an interaction record (still to be checked by its schema). Its
 * external id is the response's id, else trace and span, so that a resend finds itself.
 */
export function inferenceRecord(event: OtlpEvent, onlyModel: string | null): Read<Record<string, unknown>> {
  const { attributes, at } = event;
  const operation = text(attributes, 'gen_ai.operation.name');
  if (operation !== undefined && !OPERATIONS.has(operation)) {
    return { rejected: 'gen_ai.operation.name is not chat, generate_content or text_completion' };
  }
  const target: Target | undefined = targetOf(event);
  if (target?.interaction !== undefined) return { ignored: 'answers of the gateway, which it captures itself' };
  if (target === undefined) return { rejected: 'neither gen_ai.response.id nor trace and span ids' };
  if (at === undefined) return { rejected: 'no timestamp' };
  const model = modelOf(attributes, onlyModel);
  if (model === undefined) return { rejected: 'neither understudy.model nor gen_ai.request.model' };
  const input = chatMessages(attributes.get('gen_ai.input.messages'));
  if (input === undefined) {
    return { rejected: 'no gen_ai.input.messages: the sender must be told to record message contents' };
  }
  return {
    value: {
      external_id: target.externalId,
      timestamp: new Date(at).toISOString(),
      model,
      ...optional('subject', text(attributes, 'user.id') ?? text(attributes, 'enduser.id')),
      ...optional('session', text(attributes, 'gen_ai.conversation.id') ?? text(attributes, 'session.id')),
      request: requestOf(event, input),
      ...optional('response', responseOf(event)),
      ...optional('version', attributes.get('understudy.version')),
      tags: tagsOf(event),
    },
  };
}

function requestOf({ attributes }: OtlpEvent, input: Record<string, unknown>[]): Record<string, unknown> {
  const settings = Object.entries(SETTINGS).flatMap(([name, member]) => {
    const value = attributes.get(name);
    return value === undefined || value === null ? [] : [[member, value]];
  });
  return {
    ...optional('model', text(attributes, 'gen_ai.request.model')),
    messages: [...systemMessages(attributes.get('gen_ai.system_instructions')), ...input],
    ...Object.fromEntries(settings),
    ...optional('tools', chatTools(attributes.get('gen_ai.tool.definitions'))),
  };
}

/** Undefined when nothing came back: the interaction is then stored as incomplete. */
function responseOf({ attributes }: OtlpEvent): Record<string, unknown> | undefined {
  const choices = chatChoices(
    attributes.get('gen_ai.output.messages'),
    listOf(attributes.get('gen_ai.response.finish_reasons')),
  );
  if (choices === undefined || choices.length === 0) return undefined;
  const input = attributes.get('gen_ai.usage.input_tokens');
  const output = attributes.get('gen_ai.usage.output_tokens');
  return {
    ...optional('id', text(attributes, 'gen_ai.response.id')),
    object: 'chat.completion',
    ...optional('model', text(attributes, 'gen_ai.response.model')),
    choices,
    ...(input === undefined && output === undefined
      ? {}
      : { usage: { ...optional('prompt_tokens', input), ...optional('completion_tokens', output) } }),
  };
}

/** Facts that have no place in a record and help to find things again. */
function tagsOf({ attributes, span }: OtlpEvent): Record<string, string> {
  const named = ['gen_ai.provider.name', 'service.name', 'error.type'].flatMap((name) => {
    const value = text(attributes, name);
    return value === undefined ? [] : [[name, value.slice(0, 256)]];
  });
  return Object.fromEntries([...named, ...(span === undefined ? [] : [['trace_id', span.split(':')[0]]])]);
}

function optional(name: string, value: unknown): Record<string, unknown> {
  return value === undefined || value === null ? {} : { [name]: value };
}
