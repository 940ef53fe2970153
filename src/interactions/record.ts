import { z } from 'zod';
import { modelName } from '../policy/index.js';
import { embeddedFeedback } from './feedback-record.js';
import { identifier, timestamp } from './fields.js';

/** Tags of this prefix are ours: what the gateway noted about a request. */
const OUR_TAGS = 'understudy.';

/**
 * One request and its response, as import, export and API know it. Strict in our own fields; `request` and `response` are
 * chat-completions bodies of the upstream, of which only what every one has is checked.
 */
export const interactionRecord = z
  .strictObject({
    /** UUIDv7 whose time is `timestamp`; derived from model, timestamp and external_id when absent. */
    id: z.uuidv7().nullish(),
    external_id: identifier(512).nullish(),
    /** When it was asked. */
    timestamp,
    model: modelName,
    /** The person or account, in clear; stored as HMAC only. Absent: what the request names, if it does. */
    subject: z.string().min(1).max(1_024).nullish(),
    session: identifier(512).nullish(),
    request: z.looseObject({ messages: z.array(z.looseObject({ role: z.string() })).min(1) }),
    /** Absent: the answer is not known; the interaction is stored as incomplete. */
    response: z.looseObject({ choices: z.array(z.looseObject({})).min(1) }).nullish(),
    /** The version that answered. */
    version: z.int().min(1).max(2_147_483_647).nullish(),
    latency_ms: z.number().min(0).max(2_147_483_647).nullish(),
    tags: z
      .record(
        identifier(128).refine((name) => !name.startsWith(OUR_TAGS), `must not start with "${OUR_TAGS}"`),
        z.string().max(1_024),
      )
      .refine((tags) => Object.keys(tags).length <= 64, 'at most 64 tags')
      .nullish(),
    feedback: z.array(embeddedFeedback).max(100).nullish(),
  })
  .refine((record) => Boolean(record.id ?? record.external_id), {
    error: 'id or external_id is required',
    path: ['id'],
  });

export type InteractionRecord = z.output<typeof interactionRecord>;
