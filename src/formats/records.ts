import { type Format, refused } from './format.js';
import { fieldsOf } from './values.js';

/** Interaction records of our own, as the API takes them, and records as `understudy export` writes them. */
export const records: Format = {
  needsModel: false,
  remembers: false,
  recognizes: ({ request, timestamp, model, id, external_id: name }) =>
    fieldsOf(request) !== undefined && timestamp !== undefined && model !== undefined && (id ?? name) !== undefined,
  mapper:
    ({ model }) =>
    ({ value }) => {
      const fields = fieldsOf(value);
      if (fields === undefined) return refused('is not a JSON object');
      const record = model === undefined ? fields : { ...fields, model };
      return [{ kind: 'status' in fields && 'digest' in fields ? 'exported' : 'interaction', record }];
    },
};
