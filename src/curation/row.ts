import type { RedactionCounts } from '../redaction/index.js';
import type { GivenFeedback } from './given-feedback.js';

/** One turn as it is trained on: text only. */
export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** A stored interaction on its way through the steps. */
export interface Row {
  readonly interactionId: string;
  readonly askedAt: Date;
  readonly subject: string | null;
  /** The version that answered. */
  readonly version: number | null;
  /** OpenAI bodies as they were stored. */
  readonly request: unknown;
  readonly response: unknown;
  /** What was not retracted, oldest first. */
  readonly feedback: readonly GivenFeedback[];
  /** The last of `feedback`, whatever its kind; with the interaction it identifies what was learned. */
  readonly latestFeedbackId: string | null;
  /** Everything before the answer; filled in by the first step. */
  readonly messages: readonly Message[];
  /** The answer to learn: the model's, or its correction. */
  readonly answer: string;
  readonly corrected: boolean;
  readonly comments: readonly string[];
  readonly redactions: RedactionCounts;
}

/** Why a row may be left out. Stored with the row and shown; a new reason is added here. */
export const REASONS = {
  not_text: 'not a chat with text alone (tool calls, images, several choices)',
  low_quality: 'its quality score is below curation.min_quality',
  no_feedback: 'nobody said that the answer was right',
  negative_feedback: 'judged wrong, and not corrected',
  empty_answer: 'the answer is empty',
  too_short: 'the answer is shorter than curation.min_answer_chars',
  too_long: 'the answer is longer than curation.max_answer_chars, or the whole is too long to be checked',
  blocked_pattern: 'one of curation.blocked_patterns occurs in it',
  golden: 'its question is in the golden set, which is never trained on',
  duplicate: 'the same questions and answer were asked again later',
  subject_cap: 'its subject already has curation.max_rows_per_subject newer rows',
  row_cap: 'the dataset already has curation.max_rows newer rows',
} as const;

export type Reason = keyof typeof REASONS;

/** What a step says of a row that goes no further. */
export interface LeftOut {
  readonly leftOut: Reason;
}

export const leaveOut = (leftOut: Reason): LeftOut => ({ leftOut });
