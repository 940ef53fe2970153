import { UnderstudyError } from '../errors.js';

/** The tables that are partitioned by month. */
export const MONTHLY_TABLES = ['interactions', 'feedback', 'shadow_answers'] as const;
export type MonthlyTable = (typeof MONTHLY_TABLES)[number];

/** A month in UTC. */
export interface Month {
  /** `2026-08`. */
  name: string;
  from: Date;
  /** Its end, exclusive. */
  to: Date;
}

/** The month of `2026-08`. Throws `invalid_option`. */
export function parseMonth(name: string): Month {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(name) ?? [];
  if (year === undefined || Number(year) < 1970) {
    throw new UnderstudyError('invalid_option', { option: 'month', detail: 'write it as 2026-08' });
  }
  return monthOf(new Date(Date.UTC(Number(year), Number(month) - 1)));
}

/** The month of an instant; `later` months after it. */
export function monthOf(at: Date, later = 0): Month {
  const first = (months: number) => new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months));
  const from = first(later);
  return { name: from.toISOString().slice(0, 7), from, to: first(later + 1) };
}

/** Throws `invalid_option`. */
export function parseTable(name: string): MonthlyTable {
  const table = MONTHLY_TABLES.find((known) => known === name);
  if (table !== undefined) return table;
  throw new UnderstudyError('invalid_option', { option: 'table', detail: `choose from ${MONTHLY_TABLES.join(', ')}` });
}
