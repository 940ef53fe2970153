/** When an experiment may be looked at, in milliseconds. */
export interface LookSchedule {
  /** no look before this much time has passed; > 0 */
  readonly minDurationMs: number;
  /** the last look; >= minDurationMs */
  readonly maxDurationMs: number;
  /** between looks; > 0 */
  readonly lookEveryMs: number;
}

/** The schedule of an experiment that was extended: the looks that were planned stay, but for the last one. */
export function extended<T extends LookSchedule>(schedule: T, byMs: number): T {
  return { ...schedule, maxDurationMs: schedule.maxDurationMs + byMs };
}

/**
 * The planned looks: at start + minimum, then every `lookEveryMs`, and the last at the maximum duration.
 *
 * @param startedAt epoch milliseconds
 * @returns epoch milliseconds, ascending, at least one
 * @throws RangeError for durations that are not positive, or a maximum below the minimum
 */
export function lookTimes(schedule: LookSchedule, startedAt: number): number[] {
  const { minDurationMs, maxDurationMs, lookEveryMs } = schedule;
  if (!(minDurationMs > 0 && lookEveryMs > 0 && maxDurationMs >= minDurationMs))
    throw new RangeError('looks need 0 < min_duration <= max_duration and look_every > 0');
  const times: number[] = [];
  for (let at = minDurationMs; at < maxDurationMs; at += lookEveryMs) times.push(startedAt + at);
  return [...times, startedAt + maxDurationMs];
}

/** Is a look at `asOf` (epoch milliseconds) the one at the maximum duration? Timers fire late, never early. */
export function isLastLook(schedule: LookSchedule, startedAt: number, asOf: number): boolean {
  return asOf >= startedAt + schedule.maxDurationMs;
}
