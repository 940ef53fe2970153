import { messagesOf, response } from './chat.js';
import { type Format, refused } from './format.js';
import { instantOf } from './instant.js';
import { fieldsOf, sha256, textOf } from './values.js';

/** Fields of a line that are about it, not part of the request. */
const ABOUT = new Set(['messages', 'id', 'external_id', 'timestamp', 'created', 'created_at', 'weight']);

/**
 * Fine-tuning files: `{"messages": […]}`, of which the last one, of the assistant, is the answer. It was asked at its own
 * `timestamp`, `created_at` or `created`, else at the instant given for the whole file; the external id is its own `id`
 * or `external_id`, else the SHA-256 of the line.
 */
export const messages: Format = {
  needsModel: true,
  remembers: false,
  recognizes: (value) => Array.isArray(value.messages) && !('request' in value),
  mapper:
    ({ model, at }) =>
    ({ value, text }) => {
      const fields = fieldsOf(value);
      const all = messagesOf(fields?.messages);
      if (fields === undefined || all === undefined) return refused('is not {"messages": [{"role", "content"}, …]}');
      const answer = all.at(-1)!;
      if (answer.role !== 'assistant') return refused('messages: the last one is not of the assistant');
      if (all.length === 1) return refused('messages: nothing was asked before the answer');
      const said = fields.timestamp ?? fields.created_at ?? fields.created;
      const timestamp = said === undefined || said === null ? at?.toISOString() : instantOf(said);
      if (timestamp === undefined) return refused('timestamp: is not one');
      const others = Object.fromEntries(Object.entries(fields).filter(([name]) => !ABOUT.has(name)));
      const external_id = textOf(fields.external_id) ?? textOf(fields.id) ?? sha256(text.trim());
      const request = { ...others, messages: all.slice(0, -1) };
      return [{ kind: 'interaction', record: { external_id, timestamp, model, request, response: response(answer) } }];
    },
};
