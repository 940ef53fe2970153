/** How far something is: what was done of it, and from 0 to 1, if the end is known. */
export interface Progress {
  done: number;
  share: number | undefined;
}

const WIDTH = 24;

/**
 * Shows a bar with rate and time left on standard error, when that is a terminal, until it is stopped.
 *
 * @param unit what is counted, e.g. `lines`
 */
export function startProgress(unit: string, read: () => Progress): { stop(): void } {
  if (!process.stderr.isTTY) return { stop() {} };
  const started = Date.now();
  const from = read();
  const timer = setInterval(() => {
    process.stderr.write(`\r${progressLine(unit, read(), from, (Date.now() - started) / 1_000)}\x1b[K`);
  }, 250);
  return {
    stop() {
      clearInterval(timer);
      process.stderr.write('\r\x1b[K');
    },
  };
}

/** One line: `[=====>    ] 42 %  1,234,567 lines  23,400/s  0:31 left`. `from` is where it began. */
export function progressLine(unit: string, { done, share }: Progress, from: Progress, seconds: number): string {
  const rate = seconds > 0 ? (done - from.done) / seconds : 0;
  const counted = `${Math.round(done).toLocaleString('en')} ${unit}  ${Math.round(rate).toLocaleString('en')}/s`;
  if (share === undefined) return counted;
  const known = Math.min(1, Math.max(0, share));
  const full = Math.floor(known * WIDTH);
  const bar = `${'='.repeat(full)}${full < WIDTH ? '>' : ''}`.padEnd(WIDTH).slice(0, WIDTH);
  const gained = known - (from.share ?? 0);
  const left = gained > 0 && known < 1 ? (seconds * (1 - known)) / gained : undefined;
  return `[${bar}] ${Math.floor(known * 100)} %  ${counted}${left === undefined ? '' : `  ${clock(left)} left`}`;
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor((whole % 3_600) / 60)];
  const two = (part: number) => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
