import type { z } from 'zod';

/** The first three problems, each with the field it is in. Never quotes a value. */
export function describeProblems(issues: readonly z.core.$ZodIssue[], where: string): string {
  const shown = issues.slice(0, 3).map(({ path, message }) => `${[where, ...path].join('.')}: ${message}`);
  return `${shown.join('; ')}${issues.length > 3 ? `; and ${issues.length - 3} more` : ''}`.slice(0, 500);
}
