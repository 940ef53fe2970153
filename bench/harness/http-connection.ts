import net from 'node:net';

export interface HttpAnswer {
  status: number;
  body: Buffer;
}

/** One keep-alive connection that has one request under way at a time. */
export interface HttpConnection {
  /** Sends a whole HTTP/1.1 request, header and body, and resolves with its answer. */
  send(request: readonly Buffer[]): Promise<HttpAnswer>;
  close(): void;
}

const HEADER_END = Buffer.from('\r\n\r\n');

/**
 * A client that costs as little as it can: load is generated on the machine that is measured. It understands answers with
 * a Content-Length only and rejects on everything else, and when the connection ends.
 */
export async function connectHttp(port: number, host = '127.0.0.1'): Promise<HttpConnection> {
  const socket = net.connect({ port, host, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let waiting: { resolve(answer: HttpAnswer): void; reject(error: Error): void } | undefined;
  let parts: Buffer[] = [];
  let size = 0;
  let answer: { status: number; bodyAt: number; end: number } | undefined;

  const fail = (error: Error) => {
    const { reject } = waiting ?? {};
    waiting = undefined;
    reject?.(error);
    socket.destroy();
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the server closed the connection')));
  socket.on('data', (data: Buffer) => {
    parts.push(data);
    size += data.length;
    if (answer === undefined) {
      if (parts.length > 1) parts = [Buffer.concat(parts)];
      const at = parts[0]!.indexOf(HEADER_END);
      if (at < 0) return;
      const header = parts[0]!.toString('latin1', 0, at);
      const length = /^content-length: *(\d+)/im.exec(header)?.[1];
      if (length === undefined) return fail(new Error('an answer without Content-Length'));
      answer = { status: Number(header.slice(9, 12)), bodyAt: at + 4, end: at + 4 + Number(length) };
    }
    if (size < answer.end || waiting === undefined) return;
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const { resolve } = waiting;
    const { status, bodyAt, end } = answer;
    waiting = undefined;
    answer = undefined;
    parts = [];
    size = 0;
    resolve({ status, body: whole.subarray(bodyAt, end) });
  });
  return {
    send(request) {
      return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection is closed'));
        waiting = { resolve, reject };
        socket.cork();
        for (const part of request) socket.write(part);
        socket.uncork();
      });
    },
    close: () => socket.destroy(),
  };
}
