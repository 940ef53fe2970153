import type { z } from 'zod';
import { UnderstudyError } from '../errors.js';

/** What was given to an option, if the schema takes it; throws `invalid_option`. */
export function checked<T>(option: string, schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new UnderstudyError('invalid_option', { option, detail: parsed.error.issues[0]!.message });
}
