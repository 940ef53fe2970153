import { deriveId } from '../../interactions/index.js';
import { modelOf, targetOf, text } from './event-target.js';
import type { Read } from './inference-record.js';
import type { OtlpEvent } from './read-events.js';

/** Labels that say yes or no whatever the metric is; any other needs its number. */
const LABELS: Readonly<Record<string, 0 | 1>> = {
  pass: 1,
  fail: 0,
  passed: 1,
  failed: 0,
  correct: 1,
  incorrect: 0,
  relevant: 1,
  not_relevant: 0,
};
const SOURCE = 'system';
const LONGEST_COMMENT = 20_000;

/**
 * A `gen_ai.evaluation.result` event as feedback: a `score` named after the metric, and its explanation as a `comment`.
 * Never thumbs: an outcome of an experiment is what people thought, and a judge's label must not decide one unasked.
 */
export function evaluationFeedback(event: OtlpEvent, onlyModel: string | null): Read<Record<string, unknown>[]> {
  const { attributes, at } = event;
  const name = text(attributes, 'gen_ai.evaluation.name');
  if (name === undefined) return { rejected: 'no gen_ai.evaluation.name' };
  const target = targetOf(event);
  if (target === undefined) return { rejected: 'neither gen_ai.response.id nor trace and span ids' };
  if (at === undefined) return { rejected: 'no timestamp' };
  const model = modelOf(attributes, onlyModel);
  if (target.interaction === undefined && model === undefined) {
    return { rejected: 'no understudy.model (set it on the resource, or use a key of one model)' };
  }
  const label = text(attributes, 'gen_ai.evaluation.score.label');
  const given = attributes.get('gen_ai.evaluation.score.value');
  const value = typeof given === 'number' ? given : LABELS[label?.toLowerCase() ?? ''];
  if (value === undefined) {
    return { rejected: 'no gen_ai.evaluation.score.value, and no label that says yes or no (pass, fail, …)' };
  }
  const about =
    target.interaction === undefined ? { model, external_id: target.externalId } : { interaction: target.interaction };
  const timestamp = new Date(at);
  const feedback = (kind: string, fields: Record<string, unknown>) => ({
    id: deriveId(
      timestamp,
      'evaluation',
      model ?? '',
      target.interaction ?? target.externalId,
      name,
      String(value),
      kind,
    ),
    ...about,
    kind,
    ...fields,
    source: SOURCE,
    timestamp: timestamp.toISOString(),
  });
  const explanation = text(attributes, 'gen_ai.evaluation.explanation')?.slice(0, LONGEST_COMMENT);
  return {
    value: [
      feedback('score', { name, value }),
      ...(explanation === undefined ? [] : [feedback('comment', { value: explanation })]),
    ],
  };
}
