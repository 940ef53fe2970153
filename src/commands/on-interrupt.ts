/** The first Ctrl-C (or SIGTERM) aborts the signal and says so; the second one ends the program as it would have without. */
export function onInterrupt(message: string): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const interrupted = () => {
    process.stderr.write(`\n${message}\n`);
    controller.abort();
    stop();
  };
  const stop = () => {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  return { signal: controller.signal, stop };
}
