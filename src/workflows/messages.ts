import { defineQuery, defineSignal } from '@temporalio/workflow';
import { z } from 'zod';
import { SIGNALS, STATUS_QUERY } from '../temporal/workflow-names.js';
import type {
  CycleStatus,
  HaltMessage,
  PromoteMessage,
  ResumeMessage,
  RollbackMessage,
} from '../temporal/workflow-types.js';

export const promoteSignal = defineSignal<[PromoteMessage]>(SIGNALS.promote);
export const rollbackSignal = defineSignal<[RollbackMessage]>(SIGNALS.rollback);
export const resumeSignal = defineSignal<[ResumeMessage]>(SIGNALS.resume);
export const haltSignal = defineSignal<[HaltMessage]>(SIGNALS.halt);
export const statusQuery = defineQuery<CycleStatus>(STATUS_QUERY);

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
});
export const rollbackMessage = z.strictObject({ candidate, actor, reason, request_id: requestId });
export const resumeMessage = z.strictObject({ actor, skip: z.boolean().optional() });
export const haltMessage = z.strictObject({
  experiment: z.string().min(1).max(100),
  evidence: z.looseObject({
    reason: z.enum(['harm', 'guardrail', 'bake_harm']),
    summary: z.string().transform((text) => text.slice(0, 200)),
  }),
});
