import { response } from './chat.js';
import { compact, type Fields, fieldsOf, textOf } from './values.js';

/** TensorZero's `input` (`{system?, messages: [{role, content: [block, …]}]}`) as a chat-completions request. */
export function requestOfInput(input: unknown): Fields | undefined {
  const fields = fieldsOf(input);
  if (!Array.isArray(fields?.messages) || fields.messages.length === 0) return undefined;
  const system = textOf(fields.system) ?? (fieldsOf(fields.system) && JSON.stringify(fields.system));
  const messages = (fields.messages as unknown[]).flatMap((message) => messagesOf(fieldsOf(message)));
  if (messages.length === 0) return undefined;
  return { messages: [...(system === undefined ? [] : [{ role: 'system', content: system }]), ...messages] };
}

/** One message may become several: results of tools are messages of their own in chat completions. */
function messagesOf(message: Fields | undefined): Fields[] {
  if (message === undefined || typeof message.role !== 'string') return [];
  const { role, content } = message;
  const blocks = blocksOf(content);
  const results = blocks
    .filter(({ type }) => type === 'tool_result')
    .map(({ id, result }) => ({ role: 'tool', tool_call_id: id, content: asText(result) }));
  const said = messageOfBlocks(
    role,
    blocks.filter(({ type }) => type !== 'tool_result'),
  );
  return said === undefined ? results : [...results, said];
}

/** TensorZero's `output`: blocks of a chat function, or `{raw, parsed}` of a JSON function. */
export function answerOf(output: unknown): Fields | undefined {
  const fields = fieldsOf(output);
  if (fields !== undefined && ('raw' in fields || 'parsed' in fields)) {
    const content = textOf(fields.raw) ?? (fields.parsed == null ? undefined : JSON.stringify(fields.parsed));
    return content === undefined ? undefined : response({ role: 'assistant', content });
  }
  const message = Array.isArray(output) ? messageOfBlocks('assistant', blocksOf(output)) : undefined;
  return message === undefined ? undefined : response(message);
}

function messageOfBlocks(role: string, blocks: readonly Fields[]): Fields | undefined {
  const calls = blocks
    .filter(({ type }) => type === 'tool_call')
    .map((block) => ({
      id: block.id,
      type: 'function',
      function: {
        name: textOf(block.name) ?? textOf(block.raw_name),
        arguments: textOf(block.raw_arguments) ?? asText(block.arguments),
      },
    }));
  const parts = blocks.flatMap(partOf);
  const onlyText = parts.every(({ type }) => type === 'text');
  const content = onlyText ? parts.map(({ text }) => text).join('\n') : parts;
  if (parts.length === 0 && calls.length === 0) return undefined;
  return compact({
    role,
    content: parts.length === 0 ? undefined : content,
    tool_calls: calls.length === 0 ? undefined : calls,
  });
}

/** Thoughts and what is not known are left out. */
function partOf(block: Fields): Fields[] {
  const { type } = block;
  if (type === 'text' || type === 'raw_text' || type === 'template') {
    // Arguments of a template, where there is no text.
    const text = textOf(block.text) ?? textOf(block.value) ?? asText(block.arguments ?? block.value);
    return text === '' ? [] : [{ type: 'text', text }];
  }
  const url = textOf(block.url) ?? textOf(fieldsOf(block.file)?.url);
  if ((type === 'image' || type === 'file') && url !== undefined) return [{ type: 'image_url', image_url: { url } }];
  return [];
}

function blocksOf(content: unknown): Fields[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? (content as unknown[]).map((block) => fieldsOf(block) ?? {}) : [];
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
