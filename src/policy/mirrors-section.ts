import { z } from 'zod';
import { httpUrl, variable } from './fields.js';

/** What a webhook may be told; see docs/mirrors.md. */
const MIRROR_EVENTS = [
  'promoted',
  'rejected',
  'rolled_back',
  'needs_operator',
  'cycle_ended',
  'route_changed',
] as const;
const mirrorName = z.string().regex(/^[a-z0-9_-]{1,40}$/, 'must be 1 to 40 of a-z, 0-9, "_", "-"');

const webhook = z
  .strictObject({
    /** Its name in `understudy mirror status`; unique, and not `mlflow`. */
    name: mirrorName,
    /** Where events are posted to; the name of a variable where the address itself is a secret. */
    url: z.union([variable, httpUrl], { error: 'must be an http(s) address without a secret, or name a variable' }),
    /** What events are signed with; needed for format `understudy`. */
    secret: variable.nullable().default(null),
    /** `slack`: a text as incoming webhooks of Slack take it, unsigned. */
    format: z.enum(['understudy', 'slack']).default('understudy'),
    events: z
      .array(z.enum(MIRROR_EVENTS))
      .min(1)
      .default(['promoted', 'rejected', 'rolled_back', 'needs_operator', 'cycle_ended']),
  })
  .refine(({ format, secret }) => format === 'slack' || secret !== null, {
    path: ['secret'],
    message: 'must name the variable that events are signed with',
  });

/** Who is told what happened. */
export const mirrors = z.strictObject({
  webhooks: z
    .array(webhook)
    .max(16)
    .default([])
    .refine((list) => new Set(['mlflow', ...list.map(({ name }) => name)]).size === list.length + 1, {
      message: 'must have names of their own, none of them mlflow',
    }),
  /** The MLflow registry that is kept like ours: versions, tags, aliases champion, previous, challenger. */
  mlflow: z
    .strictObject({
      /** Of the tracking server, without /api. */
      url: httpUrl,
      /** Value of the header `authorization`, e.g. `Bearer …`. */
      authorization: variable.nullable().default(null),
      /** Null: the model's name. */
      registered_model: z
        .string()
        .regex(/^[A-Za-z0-9 ._-]{1,200}$/)
        .nullable()
        .default(null),
    })
    .nullable()
    .default(null),
});
