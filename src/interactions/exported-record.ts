import { z } from 'zod';
import { modelName } from '../policy/index.js';
import { feedbackRecord } from './feedback-record.js';
import { identifier, timestamp } from './fields.js';

/** SHA-256 under which a row is stored, in hex: what an export says came from a database, where it had this one. */
const digest = z.string().regex(/^(?:[0-9a-f]{2}){1,64}$/, 'must be hex');

const exportedFeedback = z
  .looseObject({ id: z.uuid(), digest })
  .transform(({ digest: stored, ...feedback }, context) => {
    const parsed = feedbackRecord.safeParse(feedback);
    if (parsed.success) return { digest: stored, feedback: { ...parsed.data, id: feedback.id } };
    for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: undefined } as never);
    return z.NEVER;
  });

/**
 * An interaction as `understudy export` writes it: a record with the hash of its subject in place of the subject, with
 * the status it ended in and the digest it is stored under. `experiment`, `arm` and `assigned_version` tell what happened
 * in the database it came from.
 */
export const exportedRecord = z
  .strictObject({
    id: z.uuidv7(),
    external_id: identifier(512).nullish(),
    timestamp,
    model: modelName,
    subject: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be a hash, as in an export')
      .nullish(),
    session: identifier(512).nullish(),
    request: z.looseObject({}),
    response: z.looseObject({}).nullish(),
    version: z.int().min(1).max(2_147_483_647).nullish(),
    latency_ms: z.int().min(0).max(2_147_483_647).nullish(),
    tags: z.record(z.string(), z.string()).nullish(),
    feedback: z.array(exportedFeedback).nullish(),
    experiment: z.uuid().nullish(),
    arm: z.enum(['champion', 'challenger', 'holdback']).nullish(),
    assigned_version: z.int().nullish(),
    status: z.enum(['complete', 'incomplete', 'failed']),
    digest,
  })
  .refine(({ status, response }) => status !== 'complete' || Boolean(response), {
    error: 'complete needs a response',
    path: ['status'],
  });

export type ExportedRecord = z.output<typeof exportedRecord>;
