import { Readable } from 'node:stream';
import { UnderstudyError } from '../errors.js';
import type { UpstreamStream } from './call-upstream.js';
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

/** A client that takes nothing for so long is treated as gone: it would hold upstream and shutdown up for ever. */
export const STALLED_MS = 60_000;

/**
 * The upstream's bytes as the client gets them: asked for as fast as the client takes them. When the upstream breaks, an
 * error in OpenAI's form comes last. `onEnd` is called exactly once, also when the client goes away.
 *
 * @param id put into every chunk; null leaves the upstream's
 */
export function streamAnswer(
  upstream: UpstreamStream,
  id: string | null,
  client: ClientSignal,
  onEnd: (end: StreamEnd) => void,
): Readable {
  const lines = readChunkLines(id);
  let bytes = 0;
  let upstreamEnded = false;
  let broken: string | undefined;

  async function pull(stream: Readable): Promise<void> {
    // An unfinished line gives nothing to pass on yet, and a read that pushes nothing is not repeated.
    for (;;) {
      const part = await upstream.next();
      if (stream.destroyed) return;
      if (part.kind === 'bytes') {
        bytes += part.bytes.length;
        const out = lines.push(part.bytes);
        if (out.length === 0) continue;
        stalled = setTimeout(leave, STALLED_MS);
        stream.push(out);
        return;
      }
      if (part.kind === 'gone') return void stream.destroy();
      const rest = lines.rest();
      upstreamEnded = true;
      // Half a line would make nonsense of the error after it.
      if (lines.done()) push(stream, rest);
      else if (!lines.toldError()) {
        broken = part.kind === 'end' ? 'broken: ended before it was done' : `${part.reason}: ${part.detail}`;
        broken = broken.slice(0, 200);
        // The blank lines end whatever event the upstream was in.
        const error = toOpenAiError(new UnderstudyError('upstream_failed', { detail: broken }));
        push(stream, Buffer.from(`\n\ndata: ${JSON.stringify(error)}\n\n`));
      }
      stream.push(null);
      return;
    }
  }

  let stalled: NodeJS.Timeout | undefined;
  const leave = () => stream.destroy();
  const stream = new Readable({
    read() {
      clearTimeout(stalled);
      pull(this).catch((error: unknown) => this.destroy(error as Error));
    },
    destroy(error, done) {
      clearTimeout(stalled);
      client.removeEventListener('abort', leave);
      upstream.cancel();
      const why = broken ?? lines.defect();
      const whole = upstreamEnded && why === undefined;
      onEnd({ status: whole ? 'complete' : 'incomplete', why, response: lines.response(), bytes });
      done(error);
    },
  });
  // Whoever sends it may be told too late or never: it ends with its client.
  client.addEventListener('abort', leave, { once: true });
  if (client.aborted) leave();
  return stream;
}

function push(stream: Readable, bytes: Buffer): void {
  if (bytes.length > 0) stream.push(bytes);
}
