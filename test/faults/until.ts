import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `probe` answers something else than undefined, null or false. What a probe throws counts as "not yet". */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`not within ${timeoutMs} ms: ${what} (${String(last)})`, { cause: last });
    await sleep(50);
  }
}
