import net from 'node:net';
import { createHistogram } from './histogram.js';
import { type Program, runProgram } from './program.js';

/** So many connections that are kept alive, each with one request under way at a time, as fast as they are answered. */
export interface ClosedLoad {
  port: number;
  connections: number;
  /** The next request's subject; they take turns. */
  subjects: number;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Not measured. */
  warmUpMs: number;
  /** Measured: for so long, or so many requests. */
  measuredMs?: number;
  measuredRequests?: number;
  /** Says `passed` at each of these counts of requests, warm-up included. */
  marks?: readonly number[];
}

export type ClosedLoadSaid =
  | { kind: 'begin' }
  | { kind: 'passed'; requests: number }
  /** `total`: all that were answered, those outside the measurement too. */
  | { kind: 'end'; total: number; measured: number; seconds: number; p50_ms: number; p99_ms: number };

const HEADER_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
/** Coprime to any round number of subjects. */
const STRIDE = 7_919;

/** On bare sockets: load is generated on the machine that is measured. Anything but 200 ends it. */
const closedLoad: Program<ClosedLoad, ClosedLoadSaid> = (options, say) => {
  const { port, body, subjects, marks = [] } = options;
  const requests = Array.from({ length: subjects }, (_, n) => {
    const headers = { ...options.headers, 'x-understudy-subject': `person-${n}`, 'content-type': 'application/json' };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
  const latencies = createHistogram();
  let state: 'warming' | 'measuring' | 'over' = 'warming';
  let [next, total, open, beganAt] = [0, 0, 0, 0];
  let seconds = 0;

  function begin(): void {
    state = 'measuring';
    beganAt = performance.now();
    say({ kind: 'begin' });
    if (options.measuredMs !== undefined) setTimeout(end, options.measuredMs);
  }
  function end(): void {
    if (state !== 'measuring') return;
    state = 'over';
    seconds = (performance.now() - beganAt) / 1_000;
  }
  function closed(): void {
    open -= 1;
    if (open > 0) return;
    const [p50_ms, p99_ms] = [latencies.percentile(0.5), latencies.percentile(0.99)];
    say({ kind: 'end', total, measured: latencies.count(), seconds, p50_ms, p99_ms });
  }

  function connect(): void {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let sentAt = 0;
    let counts = false;
    let head: Buffer | undefined;
    /** Bytes of the body still to come; undefined while its head is not there, NaN for one in chunks. */
    let left: number | undefined;

    function send(): void {
      if (state === 'over') return void socket.end();
      sentAt = performance.now();
      counts = state === 'measuring';
      left = undefined;
      socket.write(requests[next]!);
      next = (next + STRIDE) % subjects;
    }
    function answered(): void {
      total += 1;
      if (counts && state === 'measuring') {
        latencies.add(performance.now() - sentAt);
        if (latencies.count() === options.measuredRequests) end();
      }
      if (marks.includes(total)) say({ kind: 'passed', requests: total });
      send();
    }
    socket.on('connect', send);
    socket.on('data', (data: Buffer) => {
      let bytes = data;
      if (left === undefined) {
        if (head !== undefined) bytes = Buffer.concat([head, data]);
        const at = bytes.indexOf(HEADER_END);
        head = at === -1 ? bytes : undefined;
        if (at === -1) return;
        const text = bytes.toString('latin1', 0, at);
        if (!text.startsWith('HTTP/1.1 200')) throw new Error(`answered ${bytes.toString('utf8', 0, 400)}`);
        left = Number(/content-length: *(\d+)/i.exec(text)?.[1]);
        bytes = bytes.subarray(at + HEADER_END.length);
      }
      left -= bytes.length;
      if (left === 0 || (Number.isNaN(left) && bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK))) answered();
    });
    socket.on('error', (error) => {
      throw error;
    });
    socket.on('close', () => {
      // Some servers end a connection after so many requests.
      if (state === 'over') closed();
      else connect();
    });
  }
  open = options.connections;
  for (let n = 0; n < options.connections; n++) connect();
  setTimeout(begin, options.warmUpMs);
};

runProgram(closedLoad);
