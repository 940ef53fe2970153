import { type Format, refused } from './format.js';
import { instantOf } from './instant.js';
import { compact, fieldsOf, sha256, tagsOf, textOf } from './values.js';

/**
 * Logs of NVIDIA's data flywheel blueprint, as JSONL or as documents of Elasticsearch with `_id` and `_source`:
 * `{timestamp, client_id, workload_id, request, response}`. The workload is the model; `client_id` is the app, not a
 * person. `response.id` does not tell its logs apart (loaded ones share it within a second), the text of the line does.
 */
export const dataFlywheel: Format = {
  needsModel: false,
  remembers: false,
  recognizes: (value) => {
    const log = fieldsOf(value._source) ?? value;
    return fieldsOf(log.request) !== undefined && ('workload_id' in log || 'client_id' in log);
  },
  mapper:
    ({ model }) =>
    ({ value, text }) => {
      const document = fieldsOf(value);
      const log = fieldsOf(document?._source) ?? document;
      const request = fieldsOf(log?.request);
      if (log === undefined || request === undefined) return refused('request: is not an object');
      const workload = textOf(log.workload_id);
      if ((model ?? workload) === undefined) return refused('workload_id: is missing, and no --model is given');
      const timestamp = instantOf(log.timestamp);
      if (timestamp === undefined) return refused('timestamp: is not one');
      const record = compact({
        external_id: textOf(document?._id) ?? sha256(text.trim()),
        timestamp,
        model: model ?? workload,
        request,
        response: log.response,
        tags: tagsOf({ client_id: log.client_id, workload_id: workload }),
      });
      return [{ kind: 'interaction', record }];
    },
};
