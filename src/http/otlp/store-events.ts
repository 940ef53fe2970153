import type { Db } from '../../db/index.js';
import { type ItemResult, storeFeedback, storeInteractions } from '../../interactions/index.js';
import type { FeedbackMetrics } from '../feedback-metrics.js';
import { TooDeep } from './any-value.js';
import { evaluationFeedback } from './evaluation-feedback.js';
import { inferenceRecord, type Read } from './inference-record.js';
import type { OtlpEvent } from './read-events.js';

const INFERENCE = 'gen_ai.client.inference.operation.details';
const EVALUATION = 'gen_ai.evaluation.result';
const BATCH = 1_000;
/** Reasons are told with their counts, the most frequent first. */
const REASONS = 5;

export interface StoredEvents {
  /** Log records of which nothing, or not all, was stored. */
  rejected: number;
  /** Why, in a few sentences that quote nothing; empty when there is nothing to say. */
  message: string;
}

/** One log record and the items it becomes: an interaction, or pieces of feedback. */
interface Item {
  event: number;
  item: unknown;
}

/**
 * Stores the events among log records; resolves after COMMIT. Interactions are written before feedback, so that an
 * evaluation in the same request finds what it is about. Throws when Postgres is away; everything may then be sent again.
 */
export async function storeEvents(
  {
    db,
    subjectKey,
    metrics,
  }: { db: Pick<Db, 'pool'>; subjectKey: string; metrics: Pick<FeedbackMetrics, 'overLimit'> },
  events: readonly (() => OtlpEvent)[],
  onlyModel: string | null,
): Promise<StoredEvents> {
  const interactions: Item[] = [];
  const feedback: Item[] = [];
  const rejected = new Map<number, string>();
  const ignored: string[] = [];
  events.forEach((readEvent, event) => {
    const read = classify(readEvent, onlyModel);
    if ('rejected' in read) rejected.set(event, read.rejected);
    else if ('ignored' in read) ignored.push(read.ignored);
    else if (Array.isArray(read.value)) feedback.push(...read.value.map((item) => ({ event, item })));
    else interactions.push({ event, item: read.value });
  });
  const options = { model: onlyModel };
  const store = async (items: readonly Item[], write: (batch: unknown[]) => Promise<ItemResult[]>) => {
    for (let from = 0; from < items.length; from += BATCH) {
      const batch = items.slice(from, from + BATCH);
      const results = await write(batch.map(({ item }) => item));
      results.forEach(({ status, error }, index) => {
        if (status === 'invalid' || status === 'conflict') rejected.set(batch[index]!.event, error ?? status);
      });
    }
  };
  await store(interactions, (batch) => storeInteractions(db, subjectKey, batch, options));
  await store(feedback, (batch) => storeFeedback(db, batch, { ...options, onOverLimit: metrics.overLimit }));
  return { rejected: rejected.size, message: summary([...rejected.values()], ignored) };
}

function classify(
  readEvent: () => OtlpEvent,
  onlyModel: string | null,
): Read<Record<string, unknown> | Record<string, unknown>[]> {
  try {
    const event = readEvent();
    if (event.name === INFERENCE) return inferenceRecord(event, onlyModel);
    if (event.name === EVALUATION) return evaluationFeedback(event, onlyModel);
    return { rejected: `neither ${INFERENCE} nor ${EVALUATION}` };
  } catch (error) {
    // Deeper than is read, or than the stack is.
    if (!(error instanceof TooDeep) && !(error instanceof RangeError)) throw error;
    return { rejected: 'a value is nested too deep' };
  }
}

function summary(rejected: readonly string[], ignored: readonly string[]): string {
  return [counted(rejected, 'rejected'), counted(ignored, 'not stored again')].filter((part) => part !== '').join(' ');
}

function counted(reasons: readonly string[], what: string): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const most = [...counts].sort(([, a], [, b]) => b - a);
  const told = most.slice(0, REASONS).map(([reason, count]) => `${count} × ${reason}`);
  if (most.length > REASONS) told.push(`and ${most.length - REASONS} other reasons`);
  return told.length === 0 ? '' : `${what}: ${told.join('; ')}.`;
}
