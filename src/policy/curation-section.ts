import { z } from 'zod';
import { duration } from './duration.js';

/** What a dataset is made of. */
export const curation = z.strictObject({
  /** How far back from the start of the cycle interactions are collected. */
  lookback: duration.prefault('30d'),
  /** Least quality, 0 to 1: of a `score` named quality where one was given. */
  min_quality: z.number().min(0).max(1).default(0.7),
  /** A rating counts as positive from this share of its range on. */
  min_rating: z.number().min(0).max(1).default(0.75),
  pseudo_label_confidence: z.number().min(0).max(1).default(0.9),
  near_duplicate_similarity: z.number().gt(0).max(1).default(0.8),
  replay_share: z.number().min(0).lt(1).default(0.2),
  max_rows: z.int().min(1).max(10_000_000).default(100_000),
  max_rows_per_subject: z.int().min(1).default(50),
  max_self_generated: z.number().min(0).max(1).default(0.5),
  /** Share of subjects (not rows) whose rows validate. */
  validation_share: z.number().min(0).max(0.5).default(0.1),
  redact_pii: z.boolean().default(true),
  /** Regular expressions; a row in which one matches is left out (`blocked_pattern`). */
  blocked_patterns: z.array(z.string().max(500).refine(isRegExp, 'is not a regular expression')).max(100).default([]),
  /** Fewest and most characters of the answer that is trained on. */
  min_answer_chars: z.int().min(0).default(1),
  max_answer_chars: z.int().min(1).default(20_000),
});

function isRegExp(source: string): boolean {
  try {
    new RegExp(source, 'iu');
    return true;
  } catch {
    return false;
  }
}
