/** Numbers as people read them; what is null is unknown, and said so. */
export function percent(share: number | null): string {
  return share === null ? 'unknown' : `${(100 * share).toFixed(1)} %`;
}

/** A difference of shares, in percentage points. */
export function points(difference: number | null): string {
  if (difference === null) return 'unknown';
  return `${difference < 0 ? '−' : '+'}${Math.abs(100 * difference).toFixed(1)} pp`;
}

export function figure(value: number | null): string {
  return value === null ? 'unknown' : value.toFixed(2);
}
