import { compact, type Fields, fieldsOf, textOf } from './values.js';

/** What a foreign log calls the speaker, in the words of chat completions. */
const ROLES: Record<string, string> = { human: 'user', ai: 'assistant', model: 'assistant', bot: 'assistant' };

/** A list of messages with roles, or undefined when it is none. */
export function messagesOf(value: unknown): Fields[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const messages = value.map(messageOf);
  return messages.every((message) => message !== undefined) ? messages : undefined;
}

/** One message with its role; `type` instead of `role` is what LangChain writes. */
export function messageOf(value: unknown): Fields | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const { type, ...rest } = fields;
  const role = textOf(fields.role) ?? (fields.content === undefined ? undefined : textOf(type));
  if (role === undefined) return undefined;
  return { ...(fields.role === undefined ? rest : fields), role: ROLES[role] ?? role };
}

/** A chat-completions request of a value that may be messages, a request with messages, or one text. */
export function requestOf(value: unknown, plain: unknown): Fields | undefined {
  const fields = fieldsOf(value);
  const messages = messagesOf(value) ?? messagesOf(fields?.messages);
  if (messages !== undefined) return { ...fields, messages };
  const single = messageOf(value);
  if (single !== undefined) return { messages: [single] };
  const content = asText(plain);
  return content === undefined ? undefined : { messages: [{ role: 'user', content }] };
}

/** A chat-completions response with one choice, of a value that may be a response, a message, or one text. */
export function responseOf(value: unknown, plain: unknown, usage?: Fields): Fields | undefined {
  const fields = fieldsOf(value);
  if (fields !== undefined && Array.isArray(fields.choices) && fields.choices.length > 0)
    return compact({ usage, ...fields });
  const message = messageOf(value) ?? messagesOf(value)?.at(-1);
  if (message !== undefined) return response({ ...message, role: 'assistant' }, usage);
  const content = asText(plain);
  return content === undefined ? undefined : response({ role: 'assistant', content }, usage);
}

export function response(message: Fields, usage?: Fields): Fields {
  return compact({ choices: [{ index: 0, message }], usage });
}

function asText(value: unknown): string | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
