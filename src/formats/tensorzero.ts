import { Recent } from '../recent.js';
import { type Format, type FormatOptions, type Item, refused } from './format.js';
import { answerOf, requestOfInput } from './tensorzero-blocks.js';
import { compact, type Fields, fieldsOf, numberOf, tagsOf, textOf, unpacked } from './values.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
/** Episodes of which the last inference is remembered, up to twice as many; older ones are forgotten. */
const EPISODES = 500_000;

/**
 * Rows of TensorZero's tables, one JSON object a line, in any mixture: ChatInference and JsonInference are interactions,
 * BooleanMetricFeedback, FloatMetricFeedback, CommentFeedback and DemonstrationFeedback are feedback. Ids are kept; they
 * carry the time. Feedback about an episode goes to the last inference of it that came before in the same file.
 */
export const tensorzero: Format = {
  needsModel: false,
  remembers: true,
  recognizes: (value) =>
    ('function_name' in value && 'variant_name' in value) ||
    ('value' in value && ('target_id' in value || isDemonstration(value))),
  mapper: (options) => {
    const episodes = new Recent<string>({ kept: EPISODES });
    return (row) => {
      const fields = fieldsOf(row.value);
      if (fields === undefined) return refused('is not a JSON object');
      if ('target_id' in fields || isDemonstration(fields)) return feedbackItems(fields, episodes, options);
      const items = inferenceItems(fields, options);
      const [episode, id] = [textOf(fields.episode_id), textOf(fields.id)];
      if (episode !== undefined && id !== undefined && items[0]?.kind === 'interaction') {
        episodes.set(episode, id.toLowerCase());
      }
      return items;
    };
  },
};

function isDemonstration(fields: Fields): boolean {
  return 'inference_id' in fields && 'value' in fields;
}

function inferenceItems(fields: Fields, { model }: FormatOptions): Item[] {
  const id = textOf(fields.id);
  const asked = id === undefined || !UUID.test(id) || id[14] !== '7' ? undefined : instantOfId(id);
  if (id === undefined || asked === undefined) return refused('id: is not a UUIDv7');
  const request = requestOfInput(unpacked(fields.input));
  if (request === undefined) return refused('input: has no messages');
  const tags = fieldsOf(unpacked(fields.tags)) ?? {};
  // Who it was belongs to the subject, which is stored hashed, and to no tag.
  const { user_id: user, ...others } = tags;
  const parameters = fieldsOf(fieldsOf(unpacked(fields.inference_params))?.chat_completion);
  const record = compact({
    id,
    external_id: id.toLowerCase(),
    timestamp: asked,
    model: model ?? textOf(fields.function_name),
    subject: textOf(user),
    session: textOf(fields.episode_id),
    request: { ...parameters, ...request },
    response: answerOf(unpacked(fields.output)),
    latency_ms: numberOf(fields.processing_time_ms),
    tags: tagsOf({ function_name: fields.function_name, variant_name: fields.variant_name, ...others }),
  });
  return [{ kind: 'interaction', record }];
}

function feedbackItems(fields: Fields, episodes: Recent<string>, options: FormatOptions): Item[] {
  const target = (textOf(fields.target_id) ?? textOf(fields.inference_id))?.toLowerCase();
  if (target === undefined || !UUID.test(target)) return refused('target_id: is not a UUID');
  if (fields.target_type === 'episode' && !episodes.has(target))
    return refused('target_id: no inference of this episode comes before in the file');
  const id = textOf(fields.id);
  if (id === undefined || !UUID.test(id)) return refused('id: is not a UUID');
  const said = kindOf(fields, options);
  if (said === undefined) return refused('value: is not of any kind of feedback');
  const tags = fieldsOf(unpacked(fields.tags));
  const record = compact({
    id,
    interaction: episodes.get(target) ?? target,
    source: textOf(tags?.author)?.slice(0, 64),
    timestamp: id[14] === '7' ? instantOfId(id) : undefined,
    ...said,
  });
  return [{ kind: 'feedback', record }];
}

/** A boolean metric is a thumb, unless others were named; every other number is a score. */
function kindOf(fields: Fields, { thumbs }: FormatOptions): Fields | undefined {
  const { value } = fields;
  const name = textOf(fields.metric_name);
  if (name !== undefined) {
    if (typeof value === 'boolean' && (thumbs?.includes(name) ?? true))
      return { kind: 'thumbs', value: value ? 1 : -1 };
    const number = typeof value === 'boolean' ? Number(value) : numberOf(value);
    if (number === undefined) return undefined;
    if (thumbs?.includes(name) && (number === 0 || number === 1))
      return { kind: 'thumbs', value: number === 1 ? 1 : -1 };
    return { kind: 'score', name, value: number };
  }
  if (!isDemonstration(fields)) return textOf(value) === undefined ? undefined : { kind: 'comment', value };
  const message = fieldsOf((answerOf(unpacked(value))?.choices as Fields[] | undefined)?.[0]?.message);
  const text = textOf(message?.content) ?? (typeof value === 'string' && unpacked(value) === value ? value : undefined);
  return text === undefined || text === '' ? undefined : { kind: 'correction', value: text };
}

function instantOfId(id: string): string {
  return new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toISOString();
}
