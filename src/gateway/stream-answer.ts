import { Readable } from 'node:stream';
import { UnderstudyError } from '../errors.js';
import type { StreamPart, UpstreamStream } from './call-upstream.js';
import { readChunkLines } from './chunk-lines.js';
import type { ClientSignal } from './client-signal.js';
import { toOpenAiError } from './openai-error.js';

/** How a streamed answer ended. */
export interface StreamEnd {
  status: 'complete' | 'incomplete';
  /** Why the upstream's answer is not whole; undefined when it is, or when the client went away. Safe to log. */
  why: string | undefined;
  /** The chat completion as far as it came. */
  response: Record<string, unknown> | null;
  /** Of the stream. */
  bytes: number;
}

/** Where a streamed answer goes. */
export interface StreamSink {
  /** False: it has enough, and says so by `resume` when it wants more. */
  write(bytes: Buffer): boolean;
  /** Nothing more comes. */
  end(): void;
  /** Nothing more comes, and what came is not the whole of it. */
  destroy(): void;
}

/** The upstream's bytes as the client gets them. Begins with `start`; over when its end came, or when it was destroyed. */
export interface AnswerStream {
  /** Once. */
  start(sink: StreamSink): void;
  /** The sink can take more. */
  resume(): void;
  /** The sink takes no more. */
  destroy(): void;
}

/** A client that takes nothing for so long is treated as gone: it would hold upstream and shutdown up for ever. */
export const STALLED_MS = 60_000;

/**
 * Streams an answer: asked for as fast as the client takes it. When the upstream breaks, an error in OpenAI's form comes
 * last. `onEnd` is called exactly once, also when the client goes away. Pushed part by part, without node's streams and
 * without promises, which cost more than all that is done with a part.
 *
 * @param id put into every chunk; null leaves the upstream's
 */
export function streamAnswer(
  upstream: UpstreamStream,
  id: string | null,
  client: ClientSignal,
  onEnd: (end: StreamEnd) => void,
): AnswerStream {
  const lines = readChunkLines(id);
  let bytes = 0;
  let upstreamEnded = false;
  let broken: string | undefined;
  let sink: StreamSink | undefined;
  let over = false;
  let stalled: NodeJS.Timeout | undefined;

  function take(part: StreamPart): void {
    if (over) return;
    if (part.kind === 'bytes') pass(part.bytes);
    else if (part.kind === 'gone') leave();
    else last(part);
  }

  function pass(part: Buffer): void {
    bytes += part.length;
    const out = lines.push(part);
    // An unfinished line gives nothing to pass on yet.
    if (out.length === 0 || sink!.write(out)) next();
    else stalled = setTimeout(leave, STALLED_MS);
  }

  // What is there already is taken at once and in a loop: a fast upstream would otherwise be a deep recursion.
  let asking = false;
  let more = false;
  function next(): void {
    more = true;
    if (asking) return;
    asking = true;
    while (more && !over) {
      more = false;
      upstream.next(take);
    }
    asking = false;
  }

  function last(part: Exclude<StreamPart, { kind: 'bytes' | 'gone' }>): void {
    const rest = lines.rest();
    upstreamEnded = true;
    // Half a line would make nonsense of the error after it.
    if (lines.done()) {
      if (rest.length > 0) sink!.write(rest);
    } else if (!lines.toldError()) {
      broken = part.kind === 'end' ? 'broken: ended before it was done' : `${part.reason}: ${part.detail}`;
      broken = broken.slice(0, 200);
      // The blank lines end whatever event the upstream was in.
      const error = toOpenAiError(new UnderstudyError('upstream_failed', { detail: broken }));
      sink!.write(Buffer.from(`\n\ndata: ${JSON.stringify(error)}\n\n`));
    }
    finish();
    sink!.end();
  }

  function finish(): void {
    if (over) return;
    over = true;
    clearTimeout(stalled);
    client.removeEventListener('abort', leave);
    upstream.cancel();
    const why = broken ?? lines.defect();
    const whole = upstreamEnded && why === undefined;
    onEnd({ status: whole ? 'complete' : 'incomplete', why, response: lines.response(), bytes });
  }

  function leave(): void {
    if (over) return;
    finish();
    sink?.destroy();
  }

  // Whoever sends it may be told too late or never: it ends with its client.
  client.addEventListener('abort', leave, { once: true });
  if (client.aborted) leave();
  return {
    start(into) {
      sink = into;
      if (over) sink.destroy();
      else next();
    },
    resume() {
      if (stalled === undefined) return;
      clearTimeout(stalled);
      stalled = undefined;
      next();
    },
    destroy: leave,
  };
}

/** The same as one of node's streams, for those who want one. */
export function readableOf(stream: AnswerStream): Readable {
  let started = false;
  const readable = new Readable({
    read() {
      if (started) return stream.resume();
      started = true;
      stream.start({
        write: (bytes) => readable.push(bytes),
        end: () => void readable.push(null),
        destroy: () => void readable.destroy(),
      });
    },
    destroy(error, done) {
      stream.destroy();
      done(error);
    },
  });
  return readable;
}
