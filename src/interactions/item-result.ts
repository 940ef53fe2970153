import type { z } from 'zod';

/** What became of one item of a batch; items never affect each other. */
export interface ItemResult {
  /** Of the stored row; of an invalid item the one it came with, if any. */
  id: string | null;
  /** `duplicate`: it is stored already, exactly so. `conflict`: its id is stored with another body, which stays. */
  status: 'stored' | 'duplicate' | 'conflict' | 'invalid';
  /** Why it is invalid or in conflict. Never quotes a value. */
  error?: string;
}

export function invalid(item: unknown, error: string): ItemResult {
  const id = item !== null && typeof item === 'object' ? (item as { id?: unknown }).id : undefined;
  return { id: typeof id === 'string' ? id.slice(0, 64) : null, status: 'invalid', error };
}

export function conflict(id: string): ItemResult {
  return { id, status: 'conflict', error: 'this id is stored with another body' };
}

/** The first three problems, each with the field it is in. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string {
  const shown = issues.slice(0, 3).map((issue) => `${issue.path.join('.') || 'record'}: ${issue.message}`);
  const more = issues.length > 3 ? `; and ${issues.length - 3} more` : '';
  return `${shown.join('; ')}${more}`.slice(0, 500);
}
