import { createHash } from 'node:crypto';

export type Split = 'train' | 'validation';

/**
 * Where a row goes: all rows of a subject go the same way, in every dataset, so that nobody's wording is both learned and
 * validated on. A row without a subject goes by its own id. A pure function.
 */
export function splitOf(row: { subject: string | null; interactionId: string }, validationShare: number): Split {
  const hash = createHash('sha256')
    .update(`split/${row.subject ?? row.interactionId}`)
    .digest();
  return hash.readUInt32BE(0) / 2 ** 32 < validationShare ? 'validation' : 'train';
}
