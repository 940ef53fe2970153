import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { type Passes, runPasses } from './run-passes.js';

const FAR = 60_000;
const quiet = { onFailure: () => undefined };

describe('passes', () => {
  it('come one at a time, also when they are asked for at once', async () => {
    let under = 0;
    let most = 0;
    const passes = runPasses(
      async () => {
        most = Math.max(most, ++under);
        await sleep(1);
        return under--;
      },
      { everyMs: FAR, ...quiet },
    );
    await Promise.all([passes.pass(), passes.pass(), passes.pass()]);
    expect(most).toBe(1);
    await passes.stop();
  });

  it('go on after one that failed, and whoever asked for it hears why', async () => {
    let count = 0;
    const failures: unknown[] = [];
    const passes: Passes<number> = runPasses(
      async () => {
        count += 1;
        if (count < 3) throw new Error(`pass ${count}`);
        return count;
      },
      { everyMs: 1, atOnce: true, onFailure: (error) => failures.push(error) },
    );
    await vi.waitFor(() => expect(count).toBeGreaterThan(3));
    expect(failures).toEqual([new Error('pass 1'), new Error('pass 2')]);
    await passes.stop();
    count = 0;
    await expect(passes.pass()).rejects.toThrow('pass 1');
  });

  it('wait as long as the last one says, and the first one where it is not to come at once', async () => {
    const waits: (number | undefined)[] = [];
    const passes = runPasses(async () => 7, {
      everyMs: (last) => {
        waits.push(last);
        return last === undefined ? 1 : FAR;
      },
      ...quiet,
    });
    await vi.waitFor(() => expect(waits).toEqual([undefined, 7]));
    await passes.stop();
  });

  it('are told to stop, and none comes afterwards', async () => {
    let ended = 0;
    let count = 0;
    const passes = runPasses(
      async (stopping) => {
        count += 1;
        await new Promise((resolve) => {
          stopping.addEventListener('abort', resolve, { once: true });
        });
        ended += 1;
      },
      { everyMs: 1, atOnce: true, ...quiet },
    );
    await vi.waitFor(() => expect(count).toBe(1));
    await passes.stop();
    expect(ended).toBe(1);
    await sleep(10);
    expect(count).toBe(1);
  });
});
