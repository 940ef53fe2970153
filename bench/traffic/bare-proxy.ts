import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Program, runProgram } from './program.js';

/** The least that splits: a subject's hash chooses one of two upstreams, and bytes pass both ways. */
const bareProxy: Program<{ champion: number; challenger: number; share: number }, { port: number }> = (
  options,
  say,
) => {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    const hash = createHash('sha256').update(String(headers['x-understudy-subject'])).digest();
    const port = hash.readUInt32BE(0) / 2 ** 32 < options.share ? options.challenger : options.champion;
    const onward = http.request({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.listen(0, '127.0.0.1', () => say({ port: (server.address() as AddressInfo).port }));
};

runProgram(bareProxy);
