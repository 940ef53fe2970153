import { z } from 'zod';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * A duration as a string with a unit (`48h`, `30m`, `10s`, `7d`), parsed to whole milliseconds.
 * Checked here because a bad duration inside a workflow would never fail it: the task would be retried for ever.
 */
export const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a number with a unit, such as "48h", "30m" or "10s"')
  .transform((text) => {
    const [, amount, unit] = /^([\d.]+)(\w+)$/.exec(text) as unknown as [string, string, keyof typeof UNITS];
    return Math.round(Number(amount) * UNITS[unit]);
  });

/** Milliseconds as a short text with the largest unit that divides them, e.g. `48h`, `90s`. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (milliseconds > 0 && milliseconds % UNITS[unit] === 0) return `${milliseconds / UNITS[unit]}${unit}`;
  }
  return `${milliseconds}ms`;
}
