import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Peer } from '../harness/index.js';

/** What is used of the peer. */
interface UnleashModule {
  Unleash: new (settings: {
    appName: string;
    url: string;
    instanceId: string;
  }) => {
    isEnabled(name: string): boolean;
    once(event: 'synchronized', listener: () => void): void;
    on(event: 'error' | 'warn', listener: () => void): void;
    destroy(): void;
  };
}

const FLAG = 'version-two';

/**
 * How long after a flag was changed Unleash's clients see it, in milliseconds: `clients` of them with default settings
 * (they poll), against a server that answers their API from memory.
 */
export async function measureUnleash(
  peer: Peer & { require: NodeJS.Require },
  options: { clients: number; flips: number; show: (line: string) => void },
): Promise<number[]> {
  const { Unleash } = peer.require('unleash-client') as UnleashModule;
  let enabled = false;
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === 'POST') return void response.writeHead(202).end();
    const features = [{ name: FLAG, enabled, strategies: [{ name: 'default', parameters: {} }], variants: [] }];
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ version: 2, features }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`;
  const clients = await Promise.all(
    Array.from({ length: options.clients }, async (_, index) => {
      // Processes do not start at the same instant.
      await new Promise((resolve) => setTimeout(resolve, (index * 15_000) / options.clients));
      const client = new Unleash({ appName: 'bench', url, instanceId: `bench-${index}` });
      client.on('error', () => undefined);
      client.on('warn', () => undefined);
      await new Promise<void>((resolve) => {
        client.once('synchronized', resolve);
      });
      return client;
    }),
  );
  const latencies: number[] = [];
  try {
    for (let flip = 0; flip < options.flips; flip++) {
      options.show(`unleash: change ${flip + 1} of ${options.flips}`);
      enabled = !enabled;
      const changedAt = performance.now();
      const waiting = new Set(clients);
      while (waiting.size > 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        for (const client of waiting) {
          if (client.isEnabled(FLAG) !== enabled) continue;
          waiting.delete(client);
          latencies.push(performance.now() - changedAt);
        }
        if (performance.now() - changedAt > 60_000) throw new Error('a client of Unleash never saw the change');
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000 + Math.random() * 3_000));
    }
  } finally {
    for (const client of clients) client.destroy();
    server.closeAllConnections();
    server.close();
  }
  return latencies;
}
