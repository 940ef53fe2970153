import { UnderstudyError } from '../errors.js';
import type { FollowedBy } from '../routing/index.js';

/** What `--timeout` says, in milliseconds; throws `invalid_option`. */
export function timeoutMs(seconds: string): number {
  const value = Number(seconds);
  if (!/^\d+(\.\d+)?$/.test(seconds) || value <= 0 || value > 3_600)
    throw new UnderstudyError('invalid_option', { option: '--timeout', detail: 'must be seconds, up to 3600' });
  return value * 1_000;
}

/** For people: who follows a route change, and how soon. */
export function describeFollowers({ gateways, ms, silent }: FollowedBy): string[] {
  const who = gateways === 1 ? '1 gateway follows' : `${gateways} gateways follow`;
  return [
    `${who} it, after ${ms.toFixed(ms < 10 ? 1 : 0)} ms.`,
    ...silent.map((name) => `${name} has been silent and does not: dead, or cut off from Postgres.`),
  ];
}
