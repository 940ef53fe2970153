import { UnderstudyError } from '../errors.js';
import type { BudgetLimits } from './budget.js';

/** Limits as given by somebody, whole numbers from 1 on or null. Throws `invalid_option`. */
export function checkLimits(limits: Partial<BudgetLimits>): BudgetLimits {
  return {
    requestsPerMinute: check('requests-per-minute', limits.requestsPerMinute ?? null, 1_000_000),
    tokensPerDay: check('tokens-per-day', limits.tokensPerDay ?? null, 1_000_000_000_000),
  };
}

function check(option: string, value: number | null, most: number): number | null {
  if (value === null || (Number.isInteger(value) && value >= 1 && value <= most)) return value;
  throw new UnderstudyError('invalid_option', { option, detail: `must be a whole number from 1 to ${most}` });
}
