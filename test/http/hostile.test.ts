import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rollBack } from '../../src/experiments/index.js';
import { eventually, seedModel, startTestServer, type TestServer } from './support.js';

const MANY = 1_000;
const OTLP = '/v1/logs';
const MEGABYTE = 1_024 * 1_024;

let server: TestServer;
let key: string;
/** Every POST route there is, about a model that exists. */
let routes: string[];

beforeAll(async () => {
  server = await startTestServer();
  await seedModel(server, 'support', { upstream: upstreamOf(server) });
  server.rollBack.answer = ({ toVersion, ...input }) =>
    rollBack(
      { db: server.db, loadVersion: async () => undefined },
      toVersion === undefined ? input : { ...input, toVersion },
    );
  key = await server.key('admin');
  const document = (await (await server.request('/openapi.json')).json()) as { paths: Record<string, object> };
  routes = Object.entries(document.paths)
    .filter(([, methods]) => 'post' in methods)
    .map(([path]) => path.replace('{model}', 'support'))
    // OTLP has errors of its own, and takes objects of any members: it has its own tests, and a part of the thousand below.
    .filter((path) => path !== OTLP);
  expect(routes.length).toBeGreaterThanOrEqual(6);
});
afterAll(() => server.close());

/** Patient, also on a machine that does other things. */
const upstreamOf = ({ upstream }: TestServer) => ({ base_url: `${upstream.url}/v1`, model: 'base', timeout: '30s' });

interface Hostile {
  what: string;
  body: string | Buffer;
  headers?: Record<string, string>;
}

interface Heard {
  status: number;
  code: string | undefined;
  ms: number;
}

/** Sends bytes as they are; what comes back must be an error of our table or its OpenAI form. */
function send(path: string, { body, headers = {} }: Pick<Hostile, 'body' | 'headers'>): Promise<Heard> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      server.url + path,
      { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => void chunks.push(chunk));
        answer.once('end', () => {
          const ms = performance.now() - startedAt;
          const { error } = JSON.parse(Buffer.concat(chunks).toString()) as { error?: { code?: string } };
          resolve({ status: answer.statusCode ?? 0, code: error?.code, ms });
        });
      },
    );
    request.once('error', reject);
    request.end(body);
  });
}

const nested = (depth: number, open: string, close: string, inner = '1') =>
  open.repeat(depth) + inner + close.repeat(depth);
const inside = (value: string) =>
  ['model', 'messages', 'prompt', 'input', 'interactions', 'feedback', 'reason', 'to_version']
    .map((name) => `${JSON.stringify(name)}:${value}`)
    .join(',');

/** Bodies that no route can take, whatever it is for. */
function listed(): Hostile[] {
  const texts: [string, string | Buffer][] = [
    ['nothing', ''],
    ['a space', ' '],
    ['null', 'null'],
    ['a number', '1'],
    ['a text', '"x"'],
    ['a list', '[]'],
    ['a list of the body', '[{"model":"support"}]'],
    ['an unknown member', '{"x":1}'],
    ['__proto__', '{"__proto__":{"model":"support","interactions":[],"feedback":[],"reason":"x"}}'],
    ['constructor', '{"constructor":{"prototype":{"model":"support","interactions":[]}}}'],
    [
      'duplicate keys, the last of the wrong type',
      `{"model":"support","interactions":[],"feedback":[],"reason":"x",${inside('7')}}`,
    ],
    ['truncated', '{"model":"support","messages":[{"role":"user","content":"x"'],
    ['two bodies', '{"model":"support"}{"model":"support"}'],
    ['single quotes', "{'model':'support'}"],
    ['a trailing comma', '{"model":"support",}'],
    ['NaN', `{${inside('NaN')}}`],
    ['NUL', '\0'],
    ['NUL in a text', '{"model":"supp\0ort"}'],
    ['NUL escaped', `{${inside('"\\u0000"')}}`],
    ['a lone surrogate', `{${inside('"\\ud800"')}}`],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])],
    [
      'invalid UTF-8 as the name of the model',
      Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
    ],
    ['UTF-16', Buffer.from('{"model":"support"}', 'utf16le')],
    ['gzip', Buffer.from('1f8b0800000000000003ab5600000d0a', 'hex')],
    ['a huge number', `{${inside('1e999')}}`],
    ['a huge negative number', `{${inside('-1e999')}}`],
    ['a number of 100,000 digits', `{${inside('9'.repeat(100_000))}}`],
    ['a number out of every range', `{${inside('9007199254740993')}}`],
    ['100,000 members', `{${Array.from({ length: 100_000 }, (_, n) => `"k${n}":${n}`).join(',')}}`],
    ['a name of a megabyte', `{"${'k'.repeat(MEGABYTE)}":1}`],
    ['a model of a megabyte', `{"model":"${'m'.repeat(MEGABYTE)}"}`],
    ['1,001 items', `{"interactions":[${'1,'.repeat(1_000)}1],"feedback":[${'1,'.repeat(1_000)}1]}`],
  ];
  for (const depth of [100, 10_000, 100_000, 1_000_000]) {
    texts.push([`lists ${depth} deep`, nested(depth, '[', ']')]);
    texts.push([`objects ${depth} deep`, nested(depth, '{"a":', '}')]);
    texts.push([`unclosed lists ${depth} deep`, '['.repeat(depth)]);
    texts.push([`members ${depth} deep`, `{${inside(nested(Math.ceil(depth / 10), '{"a":', '}'))}}`]);
  }
  const good = '{"model":"support","messages":[{"role":"user","content":"x"}]}';
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'json',
    ' ',
    'application/jsonx',
    'a/b/c',
    '*/*',
  ];
  return [
    ...texts.map(([what, body]) => ({ what, body })),
    ...types.map((type) => ({ what: `content type ${type}`, body: good, headers: { 'content-type': type } })),
    { what: 'gzip that is none', body: '\x1f\x8b', headers: { 'content-encoding': 'gzip' } },
  ];
}

/** As many as are missing to a thousand: JSON of every shape, with members of our names, cut and mangled. */
function generated(count: number): Hostile[] {
  const names = fc.constantFrom(
    'model',
    'interactions',
    'feedback',
    'reason',
    'to_version',
    'messages',
    '__proto__',
    'actor',
  );
  const wrong = fc.oneof(
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(''),
    fc.constant('\0'),
    fc.jsonValue().filter((v) => typeof v !== 'string' && !Array.isArray(v)),
  );
  const body = fc.oneof(
    fc.jsonValue({ maxDepth: 8 }).map((value) => JSON.stringify(value)),
    fc.dictionary(names, wrong).map((value) => JSON.stringify(value)),
    fc
      .tuple(fc.jsonValue({ maxDepth: 5 }), fc.nat({ max: 200 }))
      .map(([value, at]) => `{"model":${JSON.stringify(value)}`.slice(0, at + 1)),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  return fc
    .sample(
      // Nothing is wrong with an empty object where everything has a default.
      body.filter((one) => one !== '{}'),
      { numRuns: count, seed: 20_261_121 },
    )
    .map((text, n) => ({ what: `generated ${n}`, body: text }));
}

describe('a thousand malformed bodies', () => {
  it('are refused on every route, with a code, at once, and nothing of them stays in memory', async () => {
    const list = listed();
    const bodies = [...list, ...generated(MANY - list.length)];
    expect(bodies).toHaveLength(MANY);
    const used: number[] = [];
    const times: { ms: number; what: string }[] = [];
    for (const path of [...routes, OTLP]) {
      const wrong: unknown[] = [];
      const waiting = [...bodies];
      const take = async () => {
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
          const { status, code, ms } = await send(path, next);
          times.push({ ms, what: `${path}: ${next.what}` });
          const refused = status >= 400 && status < 500 && (code !== undefined || path === OTLP);
          if (!refused && !(path === OTLP && status === 200))
            wrong.push([path, next.what, String(next.body).slice(0, 80), status, code]);
        }
      };
      await Promise.all([take(), take(), take(), take()]);
      expect(wrong).toEqual([]);
      used.push(heap());
    }
    const sorted = times.map(({ ms }) => ms).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
    const slowest = times.sort((a, b) => b.ms - a.ms).slice(0, 3);
    console.log(
      `${sorted.length} malformed bodies, four at a time: median ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms, slowest`,
      slowest.map(({ ms, what }) => `${ms.toFixed(0)} ms (${what})`).join(', '),
      `; heap ${used.map((bytes) => `${(bytes / MEGABYTE).toFixed(0)} MB`).join(', ')}`,
    );
    expect(at(0.5)).toBeLessThan(100);
    expect(used.at(-1)! - used[0]!).toBeLessThan(24 * MEGABYTE);
    expect(problems()).toEqual([]);
  }, 300_000);
});

/** Bytes of the heap in use, after a collection; what the test itself keeps of the log is let go. */
function heap(): number {
  server.log.splice(0, server.log.length, ...problems());
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** What the server itself thinks should not have happened. That Postgres refuses what is nested too deep is told, too. */
const problems = () =>
  server.log.filter((line) => /"level":[56]0/.test(line) && !/Postgres refused|captures are being dropped/.test(line));

/** Writes raw bytes, one piece after the other, and answers what came back: one answer, or until the server let go. */
function raw(
  pieces: readonly (string | Buffer)[],
  { halfClose = false, limitMs = 10_000, url = server.url } = {},
): Promise<{ text: string; ms: number; sent: number }> {
  const { hostname, port } = new URL(url);
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let text = '';
    let sent = 0;
    let over = false;
    let wake = () => {};
    const end = () => {
      over = true;
      wake();
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, ms: performance.now() - startedAt, sent });
    };
    const timer = setTimeout(end, limitMs);
    socket.on('drain', () => wake());
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      const [, length, body] = /content-length: (\d+).*?\r\n\r\n(.*)$/is.exec(text) ?? [];
      if (body !== undefined && body.length >= Number(length)) end();
    });
    socket.once('close', end);
    const write = async () => {
      for (const piece of pieces) {
        if (over) return;
        sent += piece.length;
        if (!socket.write(piece))
          await new Promise<void>((go) => {
            wake = go;
          });
      }
      if (halfClose) socket.end();
    };
    socket.once('connect', () => void write());
  });
}

const head = (path: string, ...lines: string[]) =>
  [
    `POST ${path} HTTP/1.1`,
    'host: x',
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    ...lines,
    '',
    '',
  ].join('\r\n');
const answered = (text: string) => {
  const [top = '', body = ''] = text.split('\r\n\r\n', 2);
  const json = /\{.*\}/s.exec(body)?.[0];
  return {
    status: Number(top.split(' ')[1]),
    code: json === undefined ? undefined : (JSON.parse(json) as { error: { code: string } }).error.code,
  };
};

describe('a body of 50 MB', () => {
  it('is refused by its announced length before it is read, on every route', async () => {
    for (const path of routes) {
      const { text, ms } = await raw([head(path, `content-length: ${50 * MEGABYTE}`), '{"model":"']);
      expect([path, answered(text)]).toEqual([path, { status: 413, code: 'payload_too_large' }]);
      expect(ms).toBeLessThan(5_000);
    }
  });

  it('is cut off where its route has enough of it when its length is not announced', async () => {
    const megabyte = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MEGABYTE, 'x'), Buffer.from('\r\n')]);
    for (const path of routes) {
      const { text, sent } = await raw([
        head(path, 'transfer-encoding: chunked'),
        ...Array.from({ length: 50 }, () => megabyte),
      ]);
      expect([path, answered(text)]).toEqual([path, { status: 413, code: 'payload_too_large' }]);
      // What lies in the buffers of two sockets has left us, and was not read.
      expect(sent).toBeLessThan(40 * MEGABYTE);
    }
  });
});

describe('what is not HTTP', () => {
  it('is answered by a code and the end of the connection', async () => {
    const path = '/v1/chat/completions';
    const cases: [string, string[], number, string][] = [
      ['garbage', ['\x16\x03\x01\x02\x00\r\n\r\n'], 400, 'invalid_request'],
      ['an unknown method', ['BREW / HTTP/1.1\r\nhost: x\r\n\r\n'], 400, 'invalid_request'],
      ['headers of 64 KiB', [head(path, `x-long: ${'x'.repeat(65_536)}`)], 431, 'headers_too_large'],
      ['an address of 64 KiB', [head(`/${'x'.repeat(65_536)}`)], 431, 'headers_too_large'],
      [
        '10,000 headers',
        [head(path, ...Array.from({ length: 10_000 }, (_, n) => `x-${n}: 1`))],
        431,
        'headers_too_large',
      ],
      ['NUL in a header', [head(path, 'x-a: \0')], 400, 'invalid_request'],
      ['two lengths', [head(path, 'content-length: 2', 'content-length: 3'), '{}x'], 400, 'invalid_request'],
      [
        'a length and chunks',
        [head(path, 'content-length: 2', 'transfer-encoding: chunked'), '{}'],
        400,
        'invalid_request',
      ],
      ['a length that is no number', [head(path, 'content-length: many'), '{}'], 400, 'invalid_request'],
      ['a length below zero', [head(path, 'content-length: -1'), '{}'], 400, 'invalid_request'],
      [
        'a chunk that is none',
        [head(path, 'transfer-encoding: chunked'), 'zz\r\n{}\r\n0\r\n\r\n'],
        400,
        'invalid_request',
      ],
    ];
    for (const [what, pieces, status, code] of cases) {
      const { text, ms } = await raw(pieces);
      expect([what, answered(text)]).toEqual([what, { status, code }]);
      expect(ms).toBeLessThan(5_000);
    }
  });

  it('is cut off when it never ends: a body that does not come, chunks without an end, headers without an end', async () => {
    const hasty = await startTestServer({ arrivalTimeoutMs: 1_000 });
    const { url } = hasty;
    const late = { status: 408, code: 'request_timeout' };
    // Its keys are its own: one of the other server is asked about before the body is read.
    const ownKey = await hasty.key('admin');
    for (const path of routes.filter((route) => !route.includes('/models/'))) {
      for (const pieces of [
        [head(path, 'content-length: 100').replace(key, ownKey), '{"model":"support"'],
        [head(path, 'transfer-encoding: chunked').replace(key, ownKey), '5\r\n{"a":\r\n'],
      ]) {
        const { text } = await raw(pieces, { url, limitMs: 30_000 });
        expect([path, answered(text)]).toEqual([path, late]);
      }
    }
    const { text } = await raw(['POST / HTTP/1.1\r\nhost: x\r\n'], { url, limitMs: 30_000 });
    expect(answered(text)).toEqual(late);
    await hasty.close();
  });

  it('leaves nothing behind when the client goes before its body is whole', async () => {
    for (const path of routes) {
      await raw([head(path, 'content-length: 100'), '{"model":"support"'], { halfClose: true });
    }
    expect(problems()).toEqual([]);
    expect((await server.request('/healthz')).status).toBe(200);
  });
});

describe('hostile words in the right places', () => {
  const texts = [
    '\0',
    'a\0b',
    '\ud800',
    '\udfff',
    'x'.repeat(5_000),
    '\u202e',
    "'; DROP TABLE models; --",
    '../../etc/passwd',
    '%s%n',
    '\uffff',
  ];

  it('in addresses and queries are answered as something that does not exist, or as invalid', async () => {
    const cursors = [
      ...[
        '"\\u0000"',
        '"\\ud800"',
        '9007199254740991',
        '-1',
        '1e999',
        '[]',
        '{}',
        'null',
        '["0000-01-01T00:00:00Z","00000000-0000-7000-8000-000000000000"]',
      ],
      ...['["9999-12-31T23:59:59.999Z","ffffffff-ffff-ffff-ffff-ffffffffffff"]', `"${'m'.repeat(200)}"`, '[1,2]'],
    ].map((text) => Buffer.from(text).toString('base64url'));
    const paths = [
      ...texts.flatMap((text) => {
        const name = encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')).slice(0, 190);
        return [`/api/v1/models/${name}`, `/api/v1/models/${name}/cycles`, `/v1/assignment?model=${name}`];
      }),
      ...['%00', '%ED%A0%80', '%FF', '%', '%zz', '..', '.', '%2e%2e%2f'].map((name) => `/api/v1/models/${name}`),
      ...['%00', '%FF', 'a'.repeat(1_100)].map((subject) => `/v1/assignment?model=support&subject=${subject}`),
      ...cursors.flatMap((cursor) =>
        ['', '/support/cycles', '/support/experiments', '/support/route-changes'].map(
          (list) => `/api/v1/models${list}?cursor=${cursor}`,
        ),
      ),
    ];
    for (const path of paths) {
      const answer = await server.request(path, { key });
      expect([path, answer.status]).toEqual([path, expect.toSatisfy((status: number) => status < 500)]);
      if (answer.status >= 400)
        expect([path, await answer.json()]).toMatchObject([path, { error: { code: expect.any(String) } }]);
    }
    expect(problems()).toEqual([]);
  });

  it('in the fields of a rollback are refused or recorded', async () => {
    for (const text of texts) {
      for (const body of [{ reason: text }, { reason: 'x', actor: text }, { reason: text, to_version: 1 }]) {
        const { status, code } = await send('/api/v1/models/support/rollback', { body: JSON.stringify(body) });
        expect([body, status, code]).toEqual([body, expect.toSatisfy((given: number) => given < 500), code]);
      }
    }
    expect(problems()).toEqual([]);
  });

  it('in items of a batch refuse these items and no other', async () => {
    const record = (more: object) => ({
      ...{ external_id: `h-${Math.random()}`, timestamp: '2026-11-01T12:00:00Z', model: 'support' },
      ...{ request: { messages: [{ role: 'user', content: 'x' }] }, response: { choices: [{ index: 0 }] }, ...more },
    });
    const deep = (depth: number) => JSON.parse(nested(depth, '[', ']')) as unknown;
    const items = [
      record({}),
      ...texts.flatMap((text) => [
        record({ external_id: text }),
        record({ session: text }),
        record({ subject: text }),
        record({ tags: { [text]: text } }),
      ]),
      ...texts.map((text) => record({ request: { messages: [{ role: 'user', content: text, [text]: text }] } })),
      ...[1e308, -1e308, 2 ** 53, -1, 1.5].map((value) => record({ version: value, latency_ms: value })),
      ...fc.sample(fc.jsonValue({ maxDepth: 4 }), { numRuns: 200, seed: 7 }),
      record({}),
    ];
    const body = JSON.stringify({ interactions: items });
    const answer = await server.request('/v1/interactions', { key, body });
    expect(answer.status).toBe(200);
    const { results } = (await answer.json()) as { results: { status: string; error?: string }[] };
    expect(results).toHaveLength(items.length);
    expect([results[0]?.status, results.at(-1)?.status]).toEqual(['stored', 'stored']);
    for (const { status, error } of results)
      if (status !== 'stored') expect([status, typeof error]).toEqual(['invalid', 'string']);

    // Too deep to be stored, and alone in its batch.
    for (const depth of [900, 3_000, 30_000]) {
      const text = `{"interactions":[${JSON.stringify(record({})).replace('"x"', nested(depth, '[', ']'))},${JSON.stringify(record({}))}]}`;
      const batch = (await (await server.request('/v1/interactions', { key, body: text })).json()) as {
        results: { status: string }[];
      };
      expect([depth, batch.results[1]?.status]).toEqual([depth, 'stored']);
    }
    expect(deep(10)).toBeDefined();
    const feedback = [
      ...texts.flatMap((text) => [
        { model: 'support', external_id: text, kind: 'copied' },
        { model: 'support', external_id: 'e', kind: 'comment', value: text },
        { model: text, external_id: 'e', kind: text },
        { id: text, retracted: true },
      ]),
      ...fc.sample(fc.jsonValue({ maxDepth: 4 }), { numRuns: 200, seed: 8 }),
    ];
    const said = await server.request('/v1/feedback', { key, body: { feedback } });
    expect(said.status).toBe(200);
    expect(((await said.json()) as { results: unknown[] }).results).toHaveLength(feedback.length);
    expect(problems()).toEqual([]);
  });

  it('in a chat completion are the upstream’s to judge, and hold up nothing that is captured after them', async () => {
    const bodies = [
      ...texts.map((text) =>
        JSON.stringify({
          model: 'support',
          messages: [{ role: 'user', content: text }],
          user: text,
          metadata: { [text]: text },
        }),
      ),
      ...[100, 1_000, 10_000].map((depth) => `{"model":"support","messages":${nested(depth, '[', ']')}}`),
      '{"model":"support","messages":[{"role":"user","content":1e999}],"__proto__":{"x":1}}',
      `{"model":"support","messages":[],"n":${'9'.repeat(10_000)}}`,
    ];
    for (const body of bodies) {
      const answer = await server.request('/v1/chat/completions', { key, body });
      expect([body.slice(0, 80), answer.status]).toEqual([body.slice(0, 80), 200]);
      await answer.text();
    }
    const last = await server.request('/v1/chat/completions', {
      key,
      body: { model: 'support', messages: [{ role: 'user', content: 'fine' }] },
    });
    const id = last.headers.get('x-understudy-interaction') ?? '';
    await eventually(async () => expect(await server.db.prisma.interaction.count({ where: { id } })).toBe(1), 15_000);
    await eventually(async () => expect(server.app.gateway.stats()).toMatchObject({ queued: 0 }), 15_000);
    expect(problems()).toEqual([]);
  });
});
