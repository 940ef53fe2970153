import net from 'node:net';
import { answerBody, answerEvents } from './bodies.js';
import { type Program, runProgram } from './program.js';

/**
 * Who answers for the model: one prepared answer of `bytes` for everything, or prepared events where the body says
 * `"stream":true`. On bare sockets, so that it takes as little as it can from what is measured. It listens on as many ports
 * as it is told and says which they are.
 */
export interface UpstreamOptions {
  ports: number;
  /** Of an answer in one piece. */
  bytes: number;
  /** Of a stream: so many after the first one, so many milliseconds apart. */
  events: number;
  gapMs: number;
}

const HEADER_END = Buffer.from('\r\n\r\n');
const STREAMED = Buffer.from('"stream":true');
const MODELS = '{"object":"list","data":[]}';

const upstream: Program<UpstreamOptions, { ports: number[] }> = async (options, say) => {
  const body = answerBody(options.bytes);
  const whole = answerFrame('application/json', `content-length: ${Buffer.byteLength(body)}\r\n`, body);
  const [first = '', ...rest] = answerEvents(options.events);
  const begin = answerFrame('text/event-stream', 'transfer-encoding: chunked\r\n', chunked(first));
  const later = rest.map((event, index) => chunked(event) + (index === rest.length - 1 ? '0\r\n\r\n' : ''));
  const models = answerFrame('application/json', `content-length: ${MODELS.length}\r\n`, MODELS);

  const streaming = new Set<{ socket: net.Socket; next: number; due: number }>();
  // One timer for all streams: thousands of them would be a load of their own.
  setInterval(() => {
    const now = performance.now();
    for (const stream of streaming) {
      while (stream.next < later.length && stream.due <= now) {
        stream.socket.write(later[stream.next++]!);
        stream.due += options.gapMs;
      }
      if (stream.next >= later.length || stream.socket.destroyed) streaming.delete(stream);
    }
  }, 5);

  function answer(socket: net.Socket, request: Buffer): void {
    if (request[0] === 0x47) socket.write(models);
    else if (request.includes(STREAMED)) {
      socket.write(begin);
      streaming.add({ socket, next: 0, due: performance.now() + options.gapMs });
    } else socket.write(whole);
  }

  function serve(socket: net.Socket): void {
    let rest: Buffer | undefined;
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: Buffer) => {
      let bytes = rest === undefined ? data : Buffer.concat([rest, data]);
      rest = undefined;
      while (bytes.length > 0) {
        const head = bytes.indexOf(HEADER_END);
        const [, length = '0'] = /content-length: *(\d+)/i.exec(bytes.toString('latin1', 0, Math.max(0, head))) ?? [];
        const end = head + HEADER_END.length + Number(length);
        if (head === -1 || bytes.length < end) {
          rest = bytes;
          return;
        }
        answer(socket, bytes.subarray(0, end));
        bytes = bytes.subarray(end);
      }
    });
  }

  const ports: number[] = [];
  for (let n = 0; n < options.ports; n++) {
    const server = net.createServer({ noDelay: true }, serve);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as net.AddressInfo).port);
  }
  say({ ports });
};

function answerFrame(type: string, header: string, body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${header}\r\n${body}`;
}

function chunked(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

runProgram(upstream);
