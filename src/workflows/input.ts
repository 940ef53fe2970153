import { z } from 'zod';
import { modelName } from '../policy/model-name.js';
import type { CycleInput, RollbackInput } from '../temporal/workflow-types.js';
import { refusal } from './failures.js';

const cycleInput = z.strictObject({
  model: modelName,
  trigger: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, 'must be 1 to 64 of a-z, 0-9, ".", "_", "-"')
    .optional(),
  candidate: z.int().min(1).max(2_147_483_647).optional(),
  overrides: z.record(z.string(), z.unknown()).optional(),
});

const rollbackInput = z.strictObject({
  model: modelName,
  to_version: z.int().min(1).optional(),
  actor: z.string().min(1).max(200),
  reason: z.string().min(1).max(200),
});

/** Input of `retrainingCycle`. @throws ApplicationFailure invalid_request, naming every field that is wrong */
export function parseCycleInput(input: unknown): CycleInput {
  return parse(cycleInput, input);
}

/** Input of `rollback`. @throws ApplicationFailure invalid_request, naming every field that is wrong */
export function parseRollbackInput(input: unknown): RollbackInput {
  return parse(rollbackInput, input);
}

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`);
  throw refusal('invalid_request', { detail: problems.join('; ').slice(0, 500) });
}
