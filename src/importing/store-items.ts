import type { Db } from '../db/index.js';
import type { Item } from '../formats/index.js';
import {
  describeIssues,
  exportedRecord,
  feedbackRecord,
  type ItemResult,
  interactionRecord,
  storeExported,
  storeFeedback,
  storeInteractions,
} from '../interactions/index.js';
import { type Counts, noCounts } from './counts.js';
import type { Reject } from './rejects.js';

/** An item and the line it is from. */
export type LinedItem = Item & { line: number };

/** What became of a batch. */
export interface Outcome {
  counts: Counts;
  rejects: Reject[];
}

type Recorded = Extract<LinedItem, { record: unknown }>;

/** Stores the items of a batch, interactions before feedback; resolves after COMMIT. */
export async function storeItems(
  db: Pick<Db, 'pool'>,
  subjectKey: string,
  items: readonly LinedItem[],
): Promise<Outcome> {
  const outcome = unstored(items);
  const of = (kind: Recorded['kind']) => items.filter((item): item is Recorded => item.kind === kind);
  const note = (batch: readonly Recorded[], results: readonly ItemResult[]) => {
    results.forEach((result, index) => {
      outcome.counts[result.status] += 1;
      const { line, kind } = batch[index]!;
      if (result.status === 'stored' && kind === 'feedback') outcome.counts.stored_feedback += 1;
      if (result.status === 'conflict' || result.status === 'invalid')
        outcome.rejects.push({ line, reason: result.error ?? result.status });
    });
  };
  const records = (batch: readonly Recorded[]) => batch.map(({ record }) => record);
  const [interactions, exported, feedback] = [of('interaction'), of('exported'), of('feedback')];
  if (interactions.length > 0) note(interactions, await storeInteractions(db, subjectKey, records(interactions)));
  if (exported.length > 0) note(exported, await storeExported(db, records(exported)));
  if (feedback.length > 0) note(feedback, await storeFeedback(db, records(feedback)));
  return inOrder(outcome);
}

const SCHEMAS = { interaction: interactionRecord, exported: exportedRecord, feedback: feedbackRecord };

/** Says what would be refused, without a database: models are not looked up, and conflicts with stored rows not seen. */
export function checkItems(items: readonly LinedItem[]): Outcome {
  const outcome = unstored(items);
  for (const item of items) {
    if (!('record' in item)) continue;
    const reason = problemOf(item);
    if (reason === undefined) outcome.counts.valid += 1;
    else {
      outcome.counts.invalid += 1;
      outcome.rejects.push({ line: item.line, reason });
    }
  }
  return inOrder(outcome);
}

function problemOf({ kind, record }: Recorded): string | undefined {
  try {
    const parsed = SCHEMAS[kind].safeParse(record);
    return parsed.success ? undefined : describeIssues(parsed.error.issues);
  } catch {
    return 'record: is nested too deep';
  }
}

function unstored(items: readonly LinedItem[]): Outcome {
  const outcome: Outcome = { counts: noCounts(), rejects: [] };
  for (const item of items) {
    if (item.kind === 'ignored') outcome.counts.ignored += 1;
    else if (item.kind === 'refused') {
      outcome.counts.invalid += 1;
      outcome.rejects.push({ line: item.line, reason: item.reason });
    }
  }
  return outcome;
}

function inOrder(outcome: Outcome): Outcome {
  outcome.rejects.sort((a, b) => a.line - b.line);
  return outcome;
}
