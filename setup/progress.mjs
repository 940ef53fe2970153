// What the set-up tells: one line for each step that is done, with its seconds, and on a terminal one line below that
// shows what is being done now.
import process from 'node:process';

const TICK_MS = 500;
const REMIND_MS = 60_000;

export function seconds(ms) {
  return ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

export class Progress {
  constructor(stream = process.stderr) {
    this.stream = stream;
    this.live = stream.isTTY === true;
    this.running = new Map();
    this.lineShown = false;
  }

  /** Prints a line that stays. */
  say(text) {
    this.clear();
    this.stream.write(`${text}\n`);
    this.draw();
  }

  /** @param {{title: string, detail?: () => string | undefined}} step `detail` is asked for what it does right now */
  begin(step) {
    this.running.set(step, { since: Date.now(), reminded: Date.now() });
    if (!this.timer) {
      this.timer = setInterval(() => this.tick(), TICK_MS);
      this.timer.unref();
    }
    this.draw();
  }

  done(step) {
    const ms = this.end(step);
    this.say(`  ✓ ${step.title.padEnd(34)} ${seconds(ms).padStart(7)}`);
    return ms;
  }

  failed(step) {
    const ms = this.end(step);
    this.say(`  ✗ ${step.title.padEnd(34)} ${seconds(ms).padStart(7)}`);
  }

  /** Takes a step back without a line: nothing was done after all. */
  end(step) {
    const since = this.running.get(step)?.since ?? Date.now();
    this.running.delete(step);
    if (this.running.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    this.clear();
    return Date.now() - since;
  }

  tick() {
    this.draw();
    if (this.live) return;
    const now = Date.now();
    for (const [step, state] of this.running) {
      if (now - state.reminded < REMIND_MS) continue;
      state.reminded = now;
      this.stream.write(`  … ${step.title}, ${seconds(now - state.since)} so far\n`);
    }
  }

  clear() {
    if (!this.live || !this.lineShown) return;
    this.stream.write('\r\u001b[2K');
    this.lineShown = false;
  }

  draw() {
    if (!this.live || this.running.size === 0) return;
    const now = Date.now();
    const parts = [...this.running].map(([step, { since }]) => {
      const detail = this.running.size === 1 ? step.detail?.() : undefined;
      return `${step.title} ${Math.round((now - since) / 1000)} s${detail ? ` (${detail})` : ''}`;
    });
    const width = (this.stream.columns ?? 80) - 5;
    const text = parts.join(' · ');
    this.stream.write(`\r\u001b[2K  … ${text.length > width ? `${text.slice(0, width - 1)}…` : text}`);
    this.lineShown = true;
  }
}
