import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

/** How one request to one server went. */
export type Outcome =
  | { kind: 'whole'; status: number; headers: IncomingHttpHeaders; bytes: Buffer }
  /** The first bytes of a stream are there. */
  | { kind: 'stream'; status: number; headers: IncomingHttpHeaders }
  /** `answered`: after the head of an answer. */
  | { kind: 'error'; error: unknown; answered: boolean }
  | { kind: 'too_large' }
  | { kind: 'aborted' };

/** What comes next of a stream. */
export type Part = { kind: 'bytes'; bytes: Buffer } | { kind: 'end' } | Exclude<Outcome, { kind: 'whole' | 'stream' }>;

/** So much of a stream waits here before the server has to wait. */
const HIGH_WATER_BYTES = 64 * 1_024;

/** One for all: it says nothing about where, and an error for every stream that ends costs a stack trace. */
const ABORTED = new Error('aborted');

/**
 * One request to one server, as undici's dispatcher tells it: no streams, no signals and no promises but the one that is
 * waited for, because this is done for every request. An answer comes whole, or as a stream where `streams` says so.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  #controller: Dispatcher.DispatchController | undefined;
  #settle: ((outcome: Outcome) => void) | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders | undefined;
  #streaming = false;
  /** What was not taken yet. */
  #parts: Buffer[] = [];
  #waiting = 0;
  /** Of the whole answer. */
  #bytes = 0;
  #last: Exclude<Part, { kind: 'bytes' }> | undefined;
  #take: ((part: Part) => void) | undefined;

  /**
   * @param maxBytes an answer of more is not read to its end
   * @param streams whether an answer with this head is to be read as a stream
   */
  constructor(
    private readonly maxBytes: number,
    private readonly streams: (status: number, headers: IncomingHttpHeaders) => boolean,
  ) {}

  /** Sends it. Called once. */
  send(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      try {
        dispatcher.dispatch(options, this);
      } catch (error) {
        this.#end({ kind: 'error', error, answered: false });
      }
    });
  }

  /** Ends it now, wherever it is; the server is told. */
  abort(): void {
    if (this.#last !== undefined) return;
    this.#end({ kind: 'aborted' });
    this.#controller?.abort(ABORTED);
  }

  /** Gives the next part of a stream, at once where it is there. Not called again before it came, nor after anything but bytes. */
  next(take: (part: Part) => void): void {
    const { length } = this.#parts;
    if (length > 0) {
      const bytes = length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      this.#parts = [];
      this.#waiting = 0;
      if (this.#controller?.paused) this.#controller.resume();
      take({ kind: 'bytes', bytes });
    } else if (this.#last !== undefined) take(this.#last);
    else this.#take = take;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while it waited for a connection.
    if (this.#last !== undefined) controller.abort(ABORTED);
  }

  onResponseStart(_controller: unknown, status: number, headers: IncomingHttpHeaders): void {
    // 1xx: the answer is still to come.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#streaming = this.streams(status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#last !== undefined) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.maxBytes) {
      this.#end({ kind: 'too_large' });
      controller.abort(ABORTED);
      return;
    }
    if (this.#take !== undefined) {
      this.#give({ kind: 'bytes', bytes: chunk });
      return;
    }
    this.#parts.push(chunk);
    if (!this.#streaming) return;
    this.#waiting += chunk.length;
    if (this.#waiting >= HIGH_WATER_BYTES) controller.pause();
    this.#resolve({ kind: 'stream', status: this.#status, headers: this.#headers! });
  }

  onResponseEnd(): void {
    if (this.#last !== undefined) return;
    if (this.#streaming) {
      this.#end({ kind: 'end' });
      return;
    }
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#last = { kind: 'end' };
    this.#resolve({ kind: 'whole', status: this.#status, headers: this.#headers!, bytes });
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end({ kind: 'error', error, answered: this.#headers !== undefined });
  }

  /** Only the first end counts. */
  #end(last: Exclude<Part, { kind: 'bytes' }>): void {
    if (this.#last !== undefined) return;
    this.#last = last;
    this.#give(last);
    // A stream that ended before its first bytes.
    if (last.kind === 'end') this.#resolve({ kind: 'error', error: new Error('no answer'), answered: true });
    else this.#resolve(last);
  }

  #give(part: Part): void {
    const take = this.#take;
    this.#take = undefined;
    take?.(part);
  }

  #resolve(outcome: Outcome): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(outcome);
  }
}
