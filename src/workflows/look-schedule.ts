export interface PlannedLook {
  /** 1, 2, 3 …; a look that was slept through keeps its number. */
  k: number;
  /** Epoch milliseconds. */
  at: number;
  last: boolean;
}

/** When an experiment is looked at: at start + minimum, then every `lookEveryMs`, the last time at the maximum. */
export function lookSchedule(
  plan: { minDurationMs: number; maxDurationMs: number; lookEveryMs: number },
  startedAt: number,
): PlannedLook[] {
  const looks: PlannedLook[] = [];
  const end = startedAt + plan.maxDurationMs;
  for (let at = startedAt + plan.minDurationMs; at < end; at += Math.max(1, plan.lookEveryMs)) {
    looks.push({ k: looks.length + 1, at, last: false });
  }
  return [...looks, { k: looks.length + 1, at: end, last: true }];
}
