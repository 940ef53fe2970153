import type { MetricRule } from './metric-rules.js';

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

/**
 * An improvement of the primary metric as the difference that it is, challenger minus champion, in the metric's unit: `+9.6
 * pp`, and `-3.1` where less is better. Without a rule it is positive feedback.
 */
export function effect(improved: number | null, rule: MetricRule | undefined, unit = true): string {
  if (improved === null) return 'unknown';
  const difference = rule?.better === 'lower' ? 0 - improved : improved;
  if (rule?.type !== 'number') return unit ? points(difference) : signed(difference);
  return `${difference < 0 ? '' : '+'}${plain(difference)}`;
}

/** What the primary metric is in an arm; of a share where less is better, the arms are summed the other way round. */
export function level(value: number | null, rule: MetricRule | undefined): string {
  if (value === null || rule === undefined) return percent(value);
  if (rule.type === 'number') return plain(value);
  return percent(rule.better === 'lower' ? 1 - value : value);
}

/** Four digits that count: `0.7312`, `412`, `1.9e-7`. */
export function plain(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** No explanation is longer: they travel through workflow histories. */
export const MAX_EXPLANATION = 200;
