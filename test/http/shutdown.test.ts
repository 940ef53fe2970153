import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { startTestServer } from './support.js';

it('a connection on which nothing ever came does not hold the shutdown up', async () => {
  const server = await startTestServer();
  const { hostname, port } = new URL(server.url);
  const silent = connect({ host: hostname, port: Number(port) });
  await once(silent, 'connect');
  // One after it, so that the silent one was taken in.
  await (await server.request('/healthz')).text();
  const ended = once(silent.resume(), 'close');
  const startedAt = performance.now();
  await server.close();
  await ended;
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
