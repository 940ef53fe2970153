import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a fake's handler gets: the path without its query, and the body as it came. */
export interface FakeRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** A string is sent as text, anything else as JSON. `cut`: the connection is dropped after the handler did its work. */
export interface FakeAnswer {
  status?: number;
  body: unknown;
  cut?: boolean;
}

/** At which moment an answer is lost. */
export type Drop = 'before' | 'after' | 'hang';

export interface HttpFake {
  /** Without a path: `http://127.0.0.1:40123`. */
  url: string;
  /** `METHOD /path` of every request, oldest first. */
  requests: string[];
  /**
   * The next `times` requests whose `METHOD /path` matches are cut off: `before` the handler sees them (the service was
   * away), or `after` it did its work (the answer was lost on the way). `hang`: after it did its work, without an answer
   * for as long as the client waits.
   */
  drop(times: number, when: Drop, matching?: RegExp): void;
  /** Answers nothing any more; open connections are cut. */
  close(): Promise<void>;
}

/** A plain HTTP service on a free loopback port. */
export async function startHttpFake(
  handle: (request: FakeRequest) => Promise<FakeAnswer> | FakeAnswer,
): Promise<HttpFake> {
  const requests: string[] = [];
  let drops: { left: number; when: Drop; matching: RegExp }[] = [];

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://fake');
    const line = `${incoming.method} ${pathname}`;
    requests.push(line);
    const drop = drops.find(({ left, matching }) => left > 0 && matching.test(line));
    if (drop) drop.left -= 1;
    if (drop?.when === 'before') return void incoming.socket.destroy();
    const answer = await handle({
      method: incoming.method ?? 'GET',
      path: pathname,
      query: searchParams,
      headers: incoming.headers,
      body: Buffer.concat(chunks),
    });
    if (drop?.when === 'hang') return;
    if (drop?.when === 'after' || answer.cut) return void incoming.socket.destroy();
    const isText = typeof answer.body === 'string';
    outgoing.writeHead(answer.status ?? 200, { 'content-type': isText ? 'text/plain' : 'application/json' });
    outgoing.end(isText ? (answer.body as string) : JSON.stringify(answer.body));
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch((error: unknown) => {
      if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ error: { message: String(error), type: 'server_error', param: null, code: 500 } }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    drop(times, when, matching = /./) {
      drops = [...drops.filter(({ left }) => left > 0), { left: times, when, matching }];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An error body as OpenAI and vLLM write it. */
export function openAiError(status: number, message: string, type = 'invalid_request_error'): FakeAnswer {
  return { status, body: { error: { message, type, param: null, code: status } } };
}
