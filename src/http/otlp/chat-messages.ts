import { isObject, listOf } from './any-value.js';

type Json = Record<string, unknown>;

/** OpenTelemetry's names for why an answer ended, where they differ from chat completions'. */
const FINISH_REASONS: Readonly<Record<string, string>> = { tool_call: 'tool_calls' };

/**
 * `gen_ai.input.messages` as messages of a chat completion: text as content, tool calls and their results as `tool_calls`
 * and `tool` messages, images and audio as content parts. Parts of a type not known here are passed on as they are.
 * Undefined when it is not a list of messages.
 */
export function chatMessages(value: unknown): Json[] | undefined {
  const messages = structured(value);
  if (!Array.isArray(messages) || !messages.every(isMessage)) return undefined;
  return messages.flatMap((message) => {
    const parts = partsOf(message);
    const results = parts.filter(({ type }) => type === 'tool_call_response');
    const others = parts.filter(({ type }) => type !== 'tool_call_response');
    const tools = results.map((part) => ({
      role: 'tool',
      ...(typeof part.id === 'string' ? { tool_call_id: part.id.trim() } : {}),
      content: asText(part.response ?? part.result),
    }));
    return others.length === 0 && results.length > 0 ? tools : [...tools, chatMessage(message, others)];
  });
}

/** `gen_ai.system_instructions` as the system message that comes first; none when there are none. */
export function systemMessages(value: unknown): Json[] {
  const parts = structured(value);
  if (typeof parts === 'string') return parts === '' ? [] : [{ role: 'system', content: parts }];
  const texts = listOf(parts).flatMap((part) =>
    isObject(part) && typeof part.content === 'string' ? [part.content] : [],
  );
  return texts.length === 0 ? [] : [{ role: 'system', content: texts.join('\n') }];
}

/** `gen_ai.output.messages` as choices, one a message. Undefined when it is not a list of messages. */
export function chatChoices(value: unknown, finishReasons: readonly unknown[]): Json[] | undefined {
  const messages = structured(value);
  if (!Array.isArray(messages) || !messages.every(isMessage)) return undefined;
  return messages.map((message, index) => {
    const reason = typeof message.finish_reason === 'string' ? message.finish_reason : finishReasons[index];
    return {
      index,
      message: { ...chatMessage(message, partsOf(message)), role: 'assistant' },
      ...(typeof reason === 'string' ? { finish_reason: FINISH_REASONS[reason] ?? reason } : {}),
    };
  });
}

/** `gen_ai.tool.definitions` as `tools`; OpenTelemetry has the function's fields beside its type. */
export function chatTools(value: unknown): Json[] | undefined {
  const definitions = structured(value);
  if (!Array.isArray(definitions) || definitions.length === 0 || !definitions.every(isObject)) return undefined;
  return definitions.map((definition) => {
    const { type, ...rest } = definition;
    return type === 'function' && !isObject(rest.function) ? { type, function: rest } : definition;
  });
}

function chatMessage(message: Json, parts: readonly Json[]): Json {
  const calls = parts.filter(({ type }) => type === 'tool_call');
  const reasoning = parts.flatMap(({ type, content }) =>
    type === 'reasoning' && typeof content === 'string' ? [content] : [],
  );
  const content = contentOf(parts.filter(({ type }) => type !== 'tool_call' && type !== 'reasoning'));
  return {
    role: message.role,
    ...(typeof message.name === 'string' ? { name: message.name } : {}),
    content: content === '' && calls.length > 0 ? null : content,
    ...(reasoning.length === 0 ? {} : { reasoning_content: reasoning.join('\n') }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(toolCall) }),
  };
}

function toolCall(part: Json): Json {
  return {
    ...(typeof part.id === 'string' ? { id: part.id.trim() } : {}),
    type: 'function',
    function: { name: part.name, arguments: asText(part.arguments ?? {}) },
  };
}

function contentOf(parts: readonly Json[]): string | Json[] {
  const only = parts.length === 1 ? parts[0]! : undefined;
  if (parts.length === 0) return '';
  if (only?.type === 'text' && typeof only.content === 'string') return only.content;
  return parts.map(contentPart);
}

function contentPart(part: Json): Json {
  const { type, modality, content, mime_type: mime, uri, file_id: file } = part;
  if (type === 'text' && typeof content === 'string') return { type: 'text', text: content };
  if (modality === 'image' && typeof uri === 'string') return { type: 'image_url', image_url: { url: uri } };
  if (type === 'blob' && typeof content === 'string') {
    if (modality === 'image') {
      return { type: 'image_url', image_url: { url: `data:${asText(mime ?? 'image/png')};base64,${content}` } };
    }
    if (modality === 'audio') {
      return {
        type: 'input_audio',
        input_audio: { data: content, format: asText(mime ?? 'wav').replace(/^audio\//, '') },
      };
    }
  }
  return typeof file === 'string' ? { type: 'file', file: { file_id: file } } : part;
}

/** Older senders have `content` in place of parts. */
function partsOf(message: Json): Json[] {
  if (typeof message.content === 'string') return [{ type: 'text', content: message.content }];
  return listOf(message.parts).filter(isObject);
}

function isMessage(value: unknown): value is Json {
  return isObject(value) && typeof value.role === 'string' && (value.parts === undefined || Array.isArray(value.parts));
}

/** A value recorded as JSON text, as senders do whose attributes cannot hold maps; everything else as it is. */
function structured(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
