import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { UpstreamStream } from './call-upstream.js';
import { STALLED_MS, type StreamEnd, type StreamSink, streamAnswer } from './stream-answer.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** An upstream that never runs dry. */
function endless() {
  const bytes = Buffer.from(`data: {"choices":[{"index":0,"delta":{"content":"${'a'.repeat(400)}"}}]}\n\n`);
  const next = vi.fn<UpstreamStream['next']>((take) => take({ kind: 'bytes', bytes }));
  return { next, cancel: vi.fn<() => void>() } satisfies UpstreamStream;
}

/** A client that takes so many parts at a time. */
function taker(atATime: number) {
  let taken = 0;
  const write = vi.fn<StreamSink['write']>(() => ++taken % atATime !== 0);
  return { write, end: vi.fn<() => void>(), destroy: vi.fn<() => void>() } satisfies StreamSink;
}

it('lets go of a client that takes nothing for a minute, and of none that takes a little', () => {
  const upstream = endless();
  const ends: StreamEnd[] = [];
  const sink = taker(5);
  const stream = streamAnswer(upstream, 'our-id', new AbortController().signal, (end) => ends.push(end));
  stream.start(sink);
  for (let n = 1; n <= 3; n++) {
    expect(sink.write).toHaveBeenCalledTimes(5 * n);
    vi.advanceTimersByTime(STALLED_MS - 1);
    expect(ends).toEqual([]);
    stream.resume();
  }
  vi.advanceTimersByTime(STALLED_MS);
  expect(ends).toMatchObject([{ status: 'incomplete', why: undefined }]);
  expect(upstream.cancel).toHaveBeenCalledOnce();
  expect(sink.destroy).toHaveBeenCalledOnce();
  expect(sink.end).not.toHaveBeenCalled();
});

it('takes what is there at once, however much, without going deeper and deeper', () => {
  const upstream = endless();
  const stream = streamAnswer(upstream, 'our-id', new AbortController().signal, () => undefined);
  const sink = taker(30_000);
  stream.start(sink);
  expect(sink.write).toHaveBeenCalledTimes(30_000);
  stream.destroy();
  stream.resume();
  expect(sink.write).toHaveBeenCalledTimes(30_000);
  expect(upstream.cancel).toHaveBeenCalledOnce();
});

it('is over at once, and once, for a client that left before it began', () => {
  const upstream = endless();
  const ends: StreamEnd[] = [];
  const sink = taker(1);
  streamAnswer(upstream, 'our-id', AbortSignal.abort(), (end) => ends.push(end)).start(sink);
  expect(ends).toMatchObject([{ status: 'incomplete', response: null, bytes: 0 }]);
  expect(upstream.next).not.toHaveBeenCalled();
  expect(upstream.cancel).toHaveBeenCalledOnce();
  expect(sink.destroy).toHaveBeenCalledOnce();
});
