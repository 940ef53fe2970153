import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the stub treats a model's requests. Nothing given: it answers at once. */
export interface StubBehaviour {
  delayMs?: number;
  /** Answer with this status and an error in OpenAI's shape, or with `body`. */
  status?: number;
  /** Sent as it is instead of a chat completion. */
  body?: string;
  headers?: Record<string, string>;
  /** `hang`: never answers. `close`: drops the connection without an answer. */
  instead?: 'hang' | 'close';
  /** How `stream: true` is answered: these pieces, each a write of its own, then the end. Default: a completion's chunks. */
  pieces?: (string | Buffer)[];
  /** Before each piece but the first. */
  gapMs?: number;
  /** After the pieces, instead of the end. */
  afterwards?: 'hang' | 'close';
  /** After so many requests it answers again. Default: never. */
  times?: number;
}

export interface StubRequest {
  model: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** As it came. */
  text: string;
  body: Record<string, unknown>;
}

export interface StubUpstream {
  /** Without `/v1`. */
  url: string;
  /** Oldest first. */
  requests: StubRequest[];
  /** Requests whose client went away before the answer. */
  aborted: number;
  /** Of streams, taken by the connection. */
  written: number;
  /** Sets the behaviour for a model's requests; for all of them without a name. */
  behave(behaviour: StubBehaviour, model?: string): void;
  /** Forgets behaviours and requests. */
  reset(): void;
  close(): Promise<void>;
}

/** A chat-completions server as OpenAI publishes it: `POST /v1/chat/completions`, answering `answer of <model>`. */
export async function startStubUpstream(): Promise<StubUpstream> {
  const behaviours = new Map<string | undefined, StubBehaviour>();

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = JSON.parse(text) as Record<string, unknown>;
    const model = String(body.model);
    stub.requests.push({ model, path: incoming.url ?? '', headers: incoming.headers, text, body });
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) stub.aborted += 1;
    });
    const behaviour = current(model);
    if (behaviour.instead === 'hang') return;
    if (behaviour.delayMs) await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs));
    if (behaviour.instead === 'close') return void incoming.socket.destroy();
    const { status = 200, headers = {} } = behaviour;
    if (body.stream === true && status < 400 && behaviour.body === undefined) {
      outgoing.writeHead(status, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
      outgoing.flushHeaders();
      const closed = new Promise((resolve) => outgoing.once('close', resolve));
      for (const [n, piece] of (behaviour.pieces ?? streamed(model)).entries()) {
        if (n > 0) await new Promise((resolve) => setTimeout(resolve, behaviour.gapMs ?? 1));
        if (outgoing.destroyed) return;
        if (!outgoing.write(piece)) await Promise.race([once(outgoing, 'drain'), closed]);
        stub.written += piece.length;
      }
      if (behaviour.afterwards === 'close') {
        // What was written gets there first.
        await new Promise((resolve) => setTimeout(resolve, 50));
        return void incoming.socket.destroy();
      }
      if (behaviour.afterwards !== 'hang') outgoing.end();
      return;
    }
    outgoing.writeHead(status, { 'content-type': 'application/json', ...headers });
    outgoing.end(behaviour.body ?? JSON.stringify(status < 400 ? completion(model) : failure(status)));
  }

  function current(model: string): StubBehaviour {
    const behaviour = behaviours.get(model) ?? behaviours.get(undefined) ?? {};
    const { times = Number.POSITIVE_INFINITY } = behaviour;
    if (times <= 0) return {};
    behaviour.times = times - 1;
    return behaviour;
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const stub: StubUpstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    aborted: 0,
    written: 0,
    behave: (behaviour, model) => void behaviours.set(model, { ...behaviour }),
    reset() {
      behaviours.clear();
      stub.requests.length = 0;
      stub.aborted = 0;
      stub.written = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return stub;
}

let count = 0;

function completion(model: string) {
  count += 1;
  return {
    id: `chatcmpl-stub${count}`,
    object: 'chat.completion',
    created: 1_790_000_000,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: `answer of ${model}`, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  };
}

/** The chunks of what `completion` answers in one piece, one event each, with usage and `[DONE]`. */
function streamed(model: string): string[] {
  const { choices, usage, ...top } = completion(model);
  const { content } = choices[0]!.message;
  const part = (delta: object, finish_reason: string | null = null) => ({
    ...top,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    usage: null,
  });
  const chunks = [
    part({ role: 'assistant', content: '', refusal: null }),
    ...content.split(/(?= )/).map((piece) => part({ content: piece })),
    part({}, 'stop'),
    { ...top, object: 'chat.completion.chunk', choices: [], usage },
  ];
  return [...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'];
}

function failure(status: number) {
  return { error: { message: `stub says ${status}`, type: 'server_error', param: null, code: null } };
}
