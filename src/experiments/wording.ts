/** A difference of shares in percentage points: `+9.6 pp`, `unknown` for null. */
export function points(difference: number | null): string {
  return difference === null ? 'unknown' : `${signed(difference)} pp`;
}

/** A share in percent: `64.9%`. */
export function percent(share: number | null): string {
  return share === null ? 'unknown' : `${(100 * share).toFixed(1)}%`;
}

/** A share in percent with its sign and without the unit: `+9.6`. */
export function signed(difference: number): string {
  const text = (100 * difference).toFixed(1);
  return difference < 0 ? text : `+${text}`;
}

/** No explanation is longer: they travel through workflow histories. */
export const MAX_EXPLANATION = 200;
