// A process of its own that answers for every version: 512 bytes, and remembers when it was last asked for which version by
// which gateway. GET /last answers `{"<gateway> <model>": nanoseconds}` of the system's monotonic clock.
import { createServer } from 'node:http';

const last: Record<string, string> = {};
const answer = (model: string) =>
  Buffer.from(
    JSON.stringify({
      id: 'chatcmpl-bench',
      object: 'chat.completion',
      created: 1_790_000_000,
      model,
      choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(300) }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 40, completion_tokens: 60, total_tokens: 100 },
    }),
  );
const answers = new Map(['one', 'two'].map((model) => [model, answer(model)]));

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(last));
    return;
  }
  const at = process.hrtime.bigint();
  let text = '';
  request.setEncoding('latin1');
  request.on('data', (chunk: string) => {
    text += chunk;
  });
  request.on('end', () => {
    const [, model = ''] = /"model":"(\w+)"/.exec(text) ?? [];
    const [, gateway = ''] = /"user":"g(\d+)-/.exec(text) ?? [];
    last[`${gateway} ${model}`] = String(at);
    const body = answers.get(model);
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': 'application/json',
      'content-length': body?.length ?? 0,
    });
    response.end(body);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
