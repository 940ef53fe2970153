import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import { z } from 'zod';
import { duration } from '../policy/duration.js';
import { SIGNALS, STATUS_QUERY } from '../temporal/workflow-names.js';
import type {
  CycleStatus,
  ExtendMessage,
  HaltMessage,
  MessageAnswer,
  PromoteMessage,
  ResumeMessage,
  RollbackMessage,
} from '../temporal/workflow-types.js';

export const promoteSignal = defineSignal<[PromoteMessage]>(SIGNALS.promote);
export const rollbackSignal = defineSignal<[RollbackMessage]>(SIGNALS.rollback);
export const extendSignal = defineSignal<[ExtendMessage]>(SIGNALS.extend);
export const resumeSignal = defineSignal<[ResumeMessage]>(SIGNALS.resume);
export const haltSignal = defineSignal<[HaltMessage]>(SIGNALS.halt);
export const statusQuery = defineQuery<CycleStatus>(STATUS_QUERY);

export const promoteUpdate = defineUpdate<MessageAnswer, [PromoteMessage]>(SIGNALS.promote);
export const rollbackUpdate = defineUpdate<MessageAnswer, [RollbackMessage]>(SIGNALS.rollback);
export const extendUpdate = defineUpdate<MessageAnswer, [ExtendMessage]>(SIGNALS.extend);
export const resumeUpdate = defineUpdate<MessageAnswer, [ResumeMessage]>(SIGNALS.resume);

const candidate = z.int().min(1);
const actor = z.string().min(1).max(200);
const reason = z.string().min(1).max(200);
const requestId = z.string().min(1).max(200).optional();

/** Payloads are checked here, and here only: whatever does not fit is recorded and ignored. */
export const promoteMessage = z.strictObject({
  candidate,
  actor,
  reason,
  request_id: requestId,
  force: z.boolean().optional(),
  identity: z.string().min(1).max(200).optional(),
});
export const rollbackMessage = z.strictObject({ candidate, actor, reason, request_id: requestId });
export const extendMessage = z.strictObject({
  by: duration.refine((ms) => ms >= 1_000, 'must be at least 1s'),
  candidate: candidate.optional(),
  actor: actor.default('operator'),
  reason: reason.default('more time'),
  request_id: requestId,
});
export type ExtendRequest = z.output<typeof extendMessage>;
export const resumeMessage = z.strictObject({ actor, skip: z.boolean().optional() });
export const haltMessage = z.strictObject({
  experiment: z.string().min(1).max(100),
  evidence: z.looseObject({
    reason: z.enum(['harm', 'guardrail', 'bake_harm']),
    summary: z.string().transform((text) => text.slice(0, 200)),
  }),
});
