import type { Db } from '../db/index.js';
import { inTurns } from '../redaction/index.js';
import type { CapturePolicies } from './capture-policies.js';
import { type FeedbackContent, feedbackContent } from './feedback-row.js';
import type { FeedbackSender } from './feedback-sender.js';
import type { FeedbackItem } from './parse-feedback.js';
import { redactFeedback } from './redact-captured.js';
import { resolveInteractions } from './resolve-interactions.js';

/** An item with what is to be stored of it; null for a bare retraction. */
export interface FeedbackSaid extends FeedbackItem {
  content: Content | null;
}

interface Content extends FeedbackContent {
  /** Of the body as it is stored and, where it was redacted, as it came: what is stored under either says the same. */
  digests: readonly Buffer[];
}

/**
 * What is to be stored of each item, with personal data replaced by placeholders where the policy of the interaction's
 * model redacts at capture, and where the model is not known yet and any does.
 */
export async function feedbackContents(
  db: Pick<Db, 'pool'>,
  items: readonly FeedbackItem[],
  policies: CapturePolicies,
  sender: FeedbackSender,
): Promise<FeedbackSaid[]> {
  const now = new Date();
  const redacts = policies.anyRedacts ? await redactsFor(db, items, policies, sender) : () => false;
  const said: FeedbackSaid[] = [];
  for (const item of items) {
    if (item.given === null) {
      said.push({ ...item, content: null });
      continue;
    }
    const asItCame = feedbackContent(item.given, now);
    const given = redacts(item) ? await inTurns(redactFeedback(item.given)) : item.given;
    const content = given === item.given ? asItCame : feedbackContent(given, now);
    const digests = content === asItCame ? [content.digest] : [content.digest, asItCame.digest];
    said.push({ ...item, content: { ...content, digests } });
  }
  return said;
}

async function redactsFor(
  db: Pick<Db, 'pool'>,
  items: readonly FeedbackItem[],
  policies: CapturePolicies,
  sender: FeedbackSender,
): Promise<(item: FeedbackItem) => boolean> {
  // The id of an interaction wins over a model named beside it.
  const resolve = sender.model === null ? await resolveInteractions(db.pool, items) : () => undefined;
  return (item) => {
    const model = sender.model ?? (item.interaction === null ? item.model : resolve(item)?.model);
    return model === undefined || model === null || policies.of(model).capture.redact_at === 'capture';
  };
}
