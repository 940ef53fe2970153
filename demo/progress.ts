import { phaseLine, statusLine } from './report.js';
import type { DemoSnapshot } from './snapshot.js';

/** The part of a stream that is needed; `process.stdout` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

const TO_LINE_START_AND_CLEAR = '\r\u001b[2K';

/**
 * Shows snapshots as they come. On a terminal one status line is rewritten in place; everywhere else nothing moves and
 * each phase gets one line when it is over.
 */
export class Progress {
  readonly #stream: ProgressStream;
  #last: DemoSnapshot | null = null;
  #shown = false;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  /** A new state of affairs; a changed `phase` ends the one before. */
  update(snapshot: DemoSnapshot): void {
    if (this.#last && this.#last.phase !== snapshot.phase) this.#leave(this.#last);
    this.#last = snapshot;
    if (!this.#stream.isTTY) return;
    this.#stream.write(TO_LINE_START_AND_CLEAR + statusLine(snapshot, (this.#stream.columns ?? 120) - 1));
    this.#shown = true;
  }

  /** Text that stays, on lines of its own above the status line. */
  print(text: string): void {
    this.#clear();
    this.#stream.write(`${text}\n`);
  }

  /** Ends the current phase and its status line. */
  end(): void {
    if (this.#last) this.#leave(this.#last);
    this.#last = null;
  }

  #leave(snapshot: DemoSnapshot): void {
    this.print(phaseLine(snapshot));
  }

  #clear(): void {
    if (this.#shown) this.#stream.write(TO_LINE_START_AND_CLEAR);
    this.#shown = false;
  }
}
