import { requestOf, responseOf } from './chat.js';
import { type Format, type FormatOptions, IGNORED, type Item, type Row, refused } from './format.js';
import { instantOf } from './instant.js';
import { columnScores, isScore, type Scored, scoreItems } from './langfuse-scores.js';
import { compact, type Fields, fieldsOf, numberOf, tagsOf, textOf, unpacked } from './values.js';

/**
 * Exports of Langfuse: observations (blob storage in snake_case, table export and API in camelCase; JSON, JSONL or CSV),
 * scores, and downloaded traces with both inside. Observations of the type GENERATION are interactions; their scores are
 * feedback on its own, so that scores that come later find what is stored. Other observations and bare traces are ignored.
 */
export const langfuse: Format = {
  needsModel: true,
  remembers: false,
  recognizes: (value) =>
    isScore(value) ||
    Array.isArray(value.observations) ||
    (('trace_id' in value || 'traceId' in value) && ('start_time' in value || 'startTime' in value)),
  mapper: (options) => (row) => itemsOf(row, options),
};

function itemsOf({ value }: Row, options: FormatOptions): Item[] {
  const fields = fieldsOf(value);
  if (fields === undefined) return refused('is not a JSON object');
  if (Array.isArray(fields.observations)) return traceItems(fields, fields.observations, options);
  if (isScore(fields)) {
    const about = textOf(fields.observation_id) ?? textOf(fields.observationId);
    if (about === undefined) return refused('observation_id: is missing; a score of a whole trace has no interaction');
    return scoreItems(fields, { name: about, at: undefined }, options);
  }
  return observationItems(fields, {}, options);
}

/** A downloaded trace: its own scores are about its last generation, the answer that people saw. */
function traceItems(container: Fields, observations: unknown[], options: FormatOptions): Item[] {
  const trace = fieldsOf(container.trace) ?? container;
  const scores = [container.scores, trace.scores].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  const generations = observations
    .flatMap((observation): Fields[] => [fieldsOf(observation) ?? {}])
    .filter(isGeneration)
    .map((observation) => ({ observation, at: instantOf(both(observation, 'start_time', 'startTime')) ?? '' }))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  const items = generations.flatMap(({ observation }) => observationItems(observation, trace, options));
  const last = generations.at(-1);
  const judged = new Set<unknown>();
  for (const score of scores) {
    const fields = fieldsOf(score);
    if (fields === undefined || judged.has(fields.id ?? fields)) continue;
    judged.add(fields.id ?? fields);
    const about = textOf(fields.observation_id) ?? textOf(fields.observationId) ?? textOf(last?.observation.id);
    if (about !== undefined) items.push(...scoreItems(fields, { name: about, at: last?.at }, options));
  }
  return items.length === 0 ? IGNORED : items;
}

function observationItems(fields: Fields, trace: Fields, options: FormatOptions): Item[] {
  if (!isGeneration(fields)) return IGNORED;
  const external_id = textOf(fields.id);
  if (external_id === undefined) return refused('id: is missing');
  const timestamp = instantOf(both(fields, 'start_time', 'startTime'));
  if (timestamp === undefined) return refused('start_time: is not a timestamp');
  const asked = requestOf(unpacked(fields.input), fields.input);
  if (asked === undefined) return refused('input: is empty');
  const model = textOf(both(fields, 'provided_model_name', 'providedModelName')) ?? textOf(fields.model);
  const parameters = fieldsOf(unpacked(both(fields, 'model_parameters', 'modelParameters')));
  const record = compact({
    external_id,
    timestamp,
    model: options.model,
    subject: textOf(both(fields, 'user_id', 'userId')) ?? textOf(both(trace, 'user_id', 'userId')),
    session: textOf(both(fields, 'session_id', 'sessionId')) ?? textOf(both(trace, 'session_id', 'sessionId')),
    request: compact({ model, ...parameters, ...asked }),
    response: responseOf(unpacked(fields.output), fields.output, usageOf(fields)),
    latency_ms: latencyOf(fields, timestamp),
    tags: tagsOf({
      name: fields.name,
      trace_id: both(fields, 'trace_id', 'traceId'),
      environment: fields.environment,
      release: fields.release,
    }),
  });
  const scored: Scored = { name: external_id, at: timestamp };
  const listed = Array.isArray(fields.scores) ? (fields.scores as unknown[]).map((one) => fieldsOf(one) ?? {}) : [];
  const scores = [...listed, ...columnScores(fields)];
  return [{ kind: 'interaction', record }, ...scores.flatMap((score) => scoreItems(score, scored, options))];
}

function isGeneration(fields: Fields): boolean {
  return fields.type === undefined ? 'input' in fields && 'output' in fields : fields.type === 'GENERATION';
}

function usageOf(fields: Fields): Fields | undefined {
  const details = fieldsOf(unpacked(both(fields, 'usage_details', 'usageDetails'))) ?? fieldsOf(unpacked(fields.usage));
  const count = (...names: string[]) =>
    names.map((name) => numberOf(details?.[name]) ?? numberOf(fields[name])).find((found) => found !== undefined);
  const usage = compact({
    prompt_tokens: count('input', 'inputUsage', 'promptTokens', 'inputTokens'),
    completion_tokens: count('output', 'outputUsage', 'completionTokens', 'outputTokens'),
    total_tokens: count('total', 'totalUsage', 'totalTokens'),
  });
  // `input` and `output` of an observation are its texts; only numbers were taken.
  return Object.keys(usage).length === 0 ? undefined : usage;
}

/** From start and end, because `latency` is in seconds or in milliseconds, depending on the age of the integration. */
function latencyOf(fields: Fields, start: string): number | undefined {
  const end = instantOf(both(fields, 'end_time', 'endTime'));
  if (end === undefined) return undefined;
  const latency = Date.parse(end) - Date.parse(start);
  return latency >= 0 && latency <= 2_147_483_647 ? latency : undefined;
}

function both(fields: Fields, snake: string, camel: string): unknown {
  return fields[snake] ?? fields[camel];
}
