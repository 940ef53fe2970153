import { z } from 'zod';
import { modelName } from '../policy/index.js';
import { identifier, timestamp } from './fields.js';

const answer = z.string().min(1).max(100_000);
const about = {
  /** Which of several choices it is about. */
  choice_index: z.int().min(0).max(127).nullish(),
  /** Who gave it: `user`, or the name of a judge or program. Default `user`. */
  source: identifier(64).nullish(),
  timestamp: timestamp.nullish(),
};
const where = {
  /** UUID; a new one is made when absent. With it a resend finds itself, and the feedback can be taken back. */
  id: z.uuid().nullish(),
  /** Id of the interaction, or `model` and `external_id`. When both are given, this one counts. */
  interaction: z.uuid().nullish(),
  model: modelName.nullish(),
  external_id: identifier(512).nullish(),
  /** True takes the feedback of this id back. */
  retracted: z.boolean().nullish(),
};

/** The flat kinds of feedback and their own fields. */
const KINDS = {
  thumbs: { value: z.literal([-1, 0, 1]) },
  rating: { value: z.number(), min: z.number(), max: z.number() },
  correction: { value: answer },
  preference: { chosen: answer, rejected: answer },
  comment: { value: z.string().min(1).max(20_000) },
  score: { name: identifier(128), value: z.number() },
  edited: { value: answer },
  copied: {},
  regenerated: {},
} as const;

export type FeedbackKind = keyof typeof KINDS;

/** Names of the fields that belong to a kind, as they are stored in `feedback.body`. */
export function fieldsOf(kind: FeedbackKind): readonly string[] {
  return Object.keys(KINDS[kind]);
}

function union<Shared extends z.core.$ZodLooseShape>(shared: Shared) {
  const kind = <K extends FeedbackKind>(name: K) =>
    z.strictObject({ kind: z.literal(name), ...KINDS[name], ...shared });
  return z
    .discriminatedUnion('kind', [
      kind('thumbs'),
      kind('rating'),
      kind('correction'),
      kind('preference'),
      kind('comment'),
      kind('score'),
      kind('edited'),
      kind('copied'),
      kind('regenerated'),
    ])
    .check(({ value, issues }) => {
      const rating = value as { kind: string; value: number; min: number; max: number };
      if (rating.kind !== 'rating') return;
      if (rating.min < rating.max && rating.min <= rating.value && rating.value <= rating.max) return;
      issues.push({
        code: 'custom',
        path: ['value'],
        message: 'must be within min and max, and min below max',
        input: undefined,
      });
    });
}

/** Feedback inside its interaction's record. */
export const embeddedFeedback = union(about);

/** Feedback on its own, saying which interaction it is about. */
export const feedbackRecord = union({ ...about, ...where });

/** `{"id", "retracted": true}` and nothing else: takes feedback back without repeating it. */
export const retraction = z.strictObject({ id: z.uuid(), retracted: z.literal(true) });

export type EmbeddedFeedback = z.output<typeof embeddedFeedback>;
export type FeedbackRecord = z.output<typeof feedbackRecord>;
