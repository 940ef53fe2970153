import net from 'node:net';
import { createHistogram } from './histogram.js';
import { type Program, runProgram } from './program.js';

/** So many streams are begun a second, whether or not the earlier ones have ended. */
export interface OpenLoad {
  port: number;
  perSecond: number;
  subjects: number;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Not measured. */
  warmUpMs: number;
  measuredMs: number;
}

export type OpenLoadSaid =
  | { kind: 'begin' }
  /** To the first byte of the first event, from the moment the request was due; `total`: all streams that ended. */
  | { kind: 'end'; total: number; measured: number; p50_ms: number; p99_ms: number };

const HEADER_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const STRIDE = 7_919;

/**
 * Latency counts from the moment a request was due and not from when it was sent: a gateway that stalls would otherwise be
 * asked less often and look better for it.
 */
const openLoad: Program<OpenLoad, OpenLoadSaid> = (options, say) => {
  const { port, body, subjects, perSecond } = options;
  const headers = Object.entries({ ...options.headers, 'content-type': 'application/json' });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const request = (n: number) =>
    `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines}x-understudy-subject: person-${n}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

  const idle: ((due: number) => void)[] = [];
  const latencies = createHistogram();
  const start = performance.now();
  const from = start + options.warmUpMs;
  const until = from + options.measuredMs;
  let [begun, ended, subject] = [0, 0, 0];

  function connect(firstDue: number): void {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let due = firstDue;
    let head: Buffer | undefined;
    let streaming = false;
    const send = (at: number) => {
      due = at;
      streaming = false;
      head = undefined;
      subject = (subject + STRIDE) % subjects;
      socket.write(request(subject));
    };
    socket.on('connect', () => send(firstDue));
    socket.on('data', (data: Buffer) => {
      let bytes = data;
      if (!streaming) {
        bytes = head === undefined ? data : Buffer.concat([head, data]);
        head = bytes;
        const at = bytes.indexOf(HEADER_END);
        if (at === -1 || bytes.length === at + HEADER_END.length) return;
        if (!bytes.toString('latin1', 0, 12).startsWith('HTTP/1.1 200'))
          throw new Error(`answered ${bytes.toString('utf8', 0, 400)}`);
        streaming = true;
        if (due >= from && due < until) latencies.add(performance.now() - due);
      }
      if (!bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) return;
      ended += 1;
      idle.push(send);
    });
    socket.on('error', (error) => {
      throw error;
    });
  }

  // Slowly at first: a program that has just started is compiled while it serves.
  const dueAt = (n: number) => {
    const ramped = (options.warmUpMs * perSecond) / 2_000;
    return n < ramped
      ? start + Math.sqrt((n * 2_000 * options.warmUpMs) / perSecond)
      : from + ((n - ramped) * 1_000) / perSecond;
  };
  let measuring = false;
  function tick(): void {
    const now = performance.now();
    if (!measuring && now >= from) {
      measuring = true;
      say({ kind: 'begin' });
    }
    for (let due = dueAt(begun); due <= now && due < until; due = dueAt(begun)) {
      begun += 1;
      const send = idle.pop();
      if (send === undefined) connect(due);
      else send(due);
    }
    if (now < until || ended < begun) {
      setTimeout(tick, 1);
      return;
    }
    const [p50_ms, p99_ms] = [latencies.percentile(0.5), latencies.percentile(0.99)];
    say({ kind: 'end', total: ended, measured: latencies.count(), p50_ms, p99_ms });
  }
  tick();
};

runProgram(openLoad);
