import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCaptureQueue } from '../../src/gateway/capture-queue.js';
import { openSpool, type Spool, type SpoolOptions } from '../../src/gateway/spool.js';
import { newId } from '../../src/interactions/index.js';
import { createLogger } from '../../src/telemetry/index.js';
import { eventually } from '../http/support.js';

let folder: string;
let open: Spool[];
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-spool-'));
  open = [];
});
afterEach(() => {
  for (const spool of open) spool.close();
  fs.rmSync(folder, { recursive: true });
});

function start(options: Partial<SpoolOptions> = {}): Spool {
  const spool = openSpool({ folder, maxBytes: 1_000_000, ...options });
  open.push(spool);
  return spool;
}
function drain(spool: Spool, limit = 3): { texts: string[]; torn: number } {
  const all = { texts: [] as string[], torn: 0 };
  for (let batch = spool.next(limit); batch !== undefined; batch = spool.next(limit)) {
    all.texts.push(...batch.texts);
    all.torn += batch.torn;
    batch.done();
  }
  return all;
}
const files = () =>
  (fs.readdirSync(folder, { recursive: true }) as string[]).filter((file) => file.endsWith('.spool')).sort();
const lines = Array.from({ length: 20 }, (_, n) => `{"line":${n}}`);

it('gives lines back in order over many segments, keeps them until they are done, and then keeps no file', () => {
  const spool = start({ segmentBytes: 300 });
  for (const line of lines) expect(spool.append(line)).toBe(true);
  expect(files().length).toBeGreaterThan(3);
  expect(spool.next(2)?.texts).toEqual(lines.slice(0, 2));
  expect(drain(spool)).toEqual({ texts: lines, torn: 0 });
  expect([files(), spool.bytes()]).toEqual([[], 0]);
});

it('lets nobody but the owner read', () => {
  start().append('{}');
  for (const entry of fs.readdirSync(folder, { recursive: true }) as string[]) {
    expect(fs.statSync(path.join(folder, entry)).mode & 0o077, entry).toBe(0);
  }
});

it('refuses what is over its limit and takes more when there is room again', () => {
  const spool = start({ maxBytes: 200 });
  expect(lines.slice(0, 3).map((line) => spool.append(line))).toEqual([true, true, false]);
  expect(drain(spool).texts).toEqual(lines.slice(0, 2));
  expect(spool.append('{}')).toBe(true);
});

it('leaves the rest to the next server, oldest first', () => {
  const first = start();
  for (const line of lines) first.append(line);
  first.close();
  expect(drain(start()).texts).toEqual(lines);
  expect(files()).toEqual([]);
});

it('leaves a living server alone, and takes over from one that gave no sign of life', () => {
  const living = start();
  living.append('{"of":"living"}');
  const other = start();
  expect(other.next(10)).toBeUndefined();
  expect(drain(start({ deadAfterMs: -1 })).texts).toEqual(['{"of":"living"}']);
});

it('skips and counts a last line that was cut, and a line that was changed', () => {
  const first = start();
  for (const line of lines.slice(0, 4)) first.append(line);
  first.close();
  const file = path.join(folder, files()[0]!);
  const content = fs.readFileSync(file, 'utf8').slice(0, -5).replace('"line":1', '"line":7');
  fs.writeFileSync(file, content);
  expect(drain(start())).toEqual({ texts: [lines[0], lines[2]], torn: 2 });
});

it('takes what waits for a Postgres that is slow, and keeps it when the server stops', async () => {
  const never = () => new Promise<never>(() => undefined);
  const slow = { pool: { query: never, connect: never } } as unknown as Parameters<typeof openCaptureQueue>[0];
  const queue = openCaptureQueue(slow, createLogger('test', 'silent'), { slowMs: 20, delayMs: 1 }, start());
  const subjects = ['a', 'b', 'c'].map((letter) => letter.repeat(64));
  const expose = (subject: string) =>
    queue.exposure({ experimentId: newId(), subject, arm: 'champion', version: 1, exposedAt: new Date() });
  expose(subjects[0]!);
  expose(subjects[1]!);
  await eventually(async () => expect(queue.stats()).toMatchObject({ queued: 0, spooled: 2 }));
  expose(subjects[2]!);
  expect(queue.stats()).toMatchObject({ queued: 0, spooled: 3 });
  await queue.close(50);
  expect(queue.stats()).toMatchObject({ dropped: 0, exposures: 0 });
  const kept = drain(start()).texts.map(
    (text) => (JSON.parse(text) as { exposure: { subject: string } }).exposure.subject,
  );
  expect(kept).toEqual(subjects);
});
