import { z } from 'zod';
import { duration } from './duration.js';

export const capture = z.strictObject({
  /**
   * Where personal data is replaced by placeholders. `curation`: in datasets only (`curation.redact_pii`); what is stored
   * is what was said. `capture`: before anything is stored, in the spool on disk too.
   */
  redact_at: z.enum(['capture', 'curation']).default('curation'),
});

export const feedback = z.strictObject({
  /** Whether the gateway's answers carry `x-understudy-feedback-token`, with which a browser may rate that answer. */
  tokens: z.boolean().default(false),
  /** How long such a token is good for. */
  token_lifetime: duration.refine((ms) => ms >= 60_000 && ms <= 366 * 86_400_000, 'must be 1m to 366d').prefault('7d'),
  /** Most feedback of source `user` about one subject's interactions that is given on one day (UTC). Null: no limit. */
  max_per_subject_per_day: z.int().min(1).max(1_000_000).nullable().default(200),
});

/** The sections that capture goes by, with their defaults, of a whole policy document; other sections are not looked at. */
export const capturePolicySchema = z.object({ capture: capture.prefault({}), feedback: feedback.prefault({}) });
export type CapturePolicy = z.output<typeof capturePolicySchema>;
