import { type Format, refused } from './format.js';
import { instantOf } from './instant.js';
import { fieldsOf, sha256, textOf } from './values.js';

/**
 * Logged chat completions, `{"request": …, "response": …}`. It was asked at `response.created` (seconds since 1970); the
 * external id is `response.id`, else the SHA-256 of the line in hex, so that the line finds itself again.
 */
export const openai: Format = {
  needsModel: true,
  remembers: false,
  recognizes: ({ request, response }) => fieldsOf(request) !== undefined && fieldsOf(response) !== undefined,
  mapper:
    ({ model }) =>
    ({ value, text }) => {
      const pair = fieldsOf(value);
      const request = fieldsOf(pair?.request);
      const response = fieldsOf(pair?.response);
      const timestamp = typeof response?.created === 'number' ? instantOf(response.created) : undefined;
      if (request === undefined || response === undefined || timestamp === undefined)
        return refused('is not {"request": {…}, "response": {"created": seconds, …}}');
      const external_id = textOf(response.id) ?? sha256(text.trim());
      return [{ kind: 'interaction', record: { external_id, timestamp, model, request, response } }];
    },
};
