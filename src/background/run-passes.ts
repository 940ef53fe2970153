/** Work that is done again and again, one pass at a time. */
export interface Passes<Result> {
  /** One pass, now; waits for a pass that is under way. Rejects with what the work throws. */
  pass(): Promise<Result>;
  /** Ends it after the pass that is under way, which is told by its signal. */
  stop(): Promise<void>;
}

/**
 * Does `work` in passes until it is stopped; a pass that fails is followed by another one. The process may end while the next
 * one is waited for.
 */
export function runPasses<Result>(
  work: (stopping: AbortSignal) => Promise<Result>,
  options: {
    /** From the end of a pass to the next one; it may depend on what the last pass found: undefined when it failed. */
    everyMs: number | ((last: Result | undefined) => number);
    /** The first pass at once and not after a wait. */
    atOnce?: boolean;
    /** Hears of passes that nobody waits for. */
    onFailure: (error: unknown) => void;
  },
): Passes<Result> {
  const { everyMs, atOnce = false, onFailure } = options;
  const stopping = new AbortController();
  let queue: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function pass(): Promise<Result> {
    const next = queue.then(() => work(stopping.signal));
    queue = next.catch(() => undefined);
    return next;
  }

  async function passUnasked(): Promise<void> {
    let last: Result | undefined;
    try {
      last = await pass();
    } catch (error) {
      onFailure(error);
    }
    wait(last);
  }

  function wait(last: Result | undefined): void {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => void passUnasked(), typeof everyMs === 'number' ? everyMs : everyMs(last));
    timer.unref();
  }

  if (atOnce) void passUnasked();
  else wait(undefined);

  return {
    pass,
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await queue;
    },
  };
}
