/** Feedback as stored: `body` holds the flat fields of its kind. */
export interface GivenFeedback {
  id: string;
  kind: string;
  body: Record<string, unknown>;
}

/** What the feedback on one answer says about learning from it. */
export type Signal =
  /** Somebody wrote the right answer; it is learned in place of the model's. */
  { kind: 'correction'; answer: string } | { kind: 'positive' } | { kind: 'negative' } | { kind: 'none' };

/**
 * The signal of all feedback on one answer, given oldest first. The latest correction wins; without one the latest thumbs
 * or rating decides. A rating is positive from `minRating` of its range on. Anything else says nothing.
 */
export function signalOf(feedback: readonly GivenFeedback[], minRating: number): Signal {
  const correction = feedback.findLast(({ kind, body }) => kind === 'correction' && textOf(body) !== undefined);
  if (correction) return { kind: 'correction', answer: textOf(correction.body)! };
  for (const { kind, body } of feedback.toReversed()) {
    const positive = kind === 'thumbs' ? thumbs(body) : kind === 'rating' ? rating(body, minRating) : undefined;
    if (positive !== undefined) return { kind: positive ? 'positive' : 'negative' };
  }
  return { kind: 'none' };
}

/** The latest `score` of that name; undefined when nobody gave one. */
export function scoreOf(feedback: readonly GivenFeedback[], name: string): number | undefined {
  const score = feedback.findLast(
    ({ kind, body }) => kind === 'score' && body.name === name && typeof body.value === 'number',
  );
  return score?.body.value as number | undefined;
}

export function commentsOf(feedback: readonly GivenFeedback[]): string[] {
  return feedback.flatMap(({ kind, body }) => (kind === 'comment' ? (textOf(body) ?? []) : []));
}

function textOf({ value }: Record<string, unknown>): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

function thumbs({ value }: Record<string, unknown>): boolean | undefined {
  return value === 1 ? true : value === -1 ? false : undefined;
}

function rating({ value, min, max }: Record<string, unknown>, minRating: number): boolean | undefined {
  if (typeof value !== 'number' || typeof min !== 'number' || typeof max !== 'number' || max <= min) return undefined;
  return (value - min) / (max - min) >= minRating;
}
