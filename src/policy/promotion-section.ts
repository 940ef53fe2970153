import { z } from 'zod';
import { duration } from './duration.js';
import { share } from './fields.js';
import { freezeWindows } from './freeze.js';

/** Who has the last word, and when; the bake. */
export const promotion = z.strictObject({
  /** `manual`: what the test decided waits until somebody approves it, by a message to promote. */
  approval: z.enum(['automatic', 'manual']).default('automatic'),
  /** How long it waits; then the champion stays. The arms go on meanwhile, and harm is looked for. */
  approval_timeout: duration.refine((ms) => ms >= 1_000 && ms <= 30 * 86_400_000, 'must be 1s to 30d').prefault('72h'),
  /** How many different people have to approve, or to ask for a promotion by hand. */
  approvals: z.union([z.literal(1), z.literal(2)], { error: 'must be 1 or 2' }).default(1),
  /** When nothing is promoted: windows of every day, of the week, or once. What was decided waits for their end. */
  freeze: freezeWindows,
  /** How long the holdback stays on the previous champion after a promotion. */
  bake: duration.prefault('24h'),
  holdback: share.default(0.1),
  /**
   * The promotion is undone when the new champion is worse than the holdback by more than this (always-valid upper bound), in
   * the unit of `experiment.primary`.
   */
  max_degradation: z.number().min(0).default(0.01),
  /** After a promotion, a conversation that was under way stays on its version for so long. Nothing else is held up by it. */
  session_stickiness: duration.prefault('30m'),
});
