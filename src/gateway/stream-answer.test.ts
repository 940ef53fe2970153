import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { UpstreamStream } from './call-upstream.js';
import { STALLED_MS, type StreamEnd, streamAnswer } from './stream-answer.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const turns = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** An upstream that never runs dry. */
function endless() {
  const bytes = Buffer.from(`data: {"choices":[{"index":0,"delta":{"content":"${'a'.repeat(40_000)}"}}]}\n\n`);
  const next = vi.fn<UpstreamStream['next']>(async () => ({ kind: 'bytes', bytes }));
  return { next, cancel: vi.fn<() => void>() } satisfies UpstreamStream;
}

it('lets go of a client that takes nothing for a minute, and of none that takes a little', async () => {
  const upstream = endless();
  const ends: StreamEnd[] = [];
  const stream = streamAnswer(upstream, 'our-id', new AbortController().signal, (end) => ends.push(end));
  for (let n = 0; n < 3; n++) {
    expect(stream.read()?.length ?? 0).toBeGreaterThanOrEqual(0);
    await turns();
    vi.advanceTimersByTime(STALLED_MS - 1);
    await turns();
    expect(ends).toEqual([]);
  }
  vi.advanceTimersByTime(1);
  await turns();
  expect(ends).toMatchObject([{ status: 'incomplete', why: undefined }]);
  expect(upstream.cancel).toHaveBeenCalledOnce();
});

it('is over at once, and once, for a client that left before it began', async () => {
  const upstream = endless();
  const ends: StreamEnd[] = [];
  streamAnswer(upstream, 'our-id', AbortSignal.abort(), (end) => ends.push(end));
  await turns();
  expect(ends).toMatchObject([{ status: 'incomplete', response: null, bytes: 0 }]);
  expect(upstream.next).not.toHaveBeenCalled();
  expect(upstream.cancel).toHaveBeenCalledOnce();
});
