import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, isListening, onFreePort } from '../../src/dev/index.js';

async function occupy(port = 0): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

test('a free preferred port is given as asked', async () => {
  const preferred = await freePort();
  await expect(onFreePort(preferred + 1, async (port) => port)).resolves.toBeGreaterThan(preferred);
});

test('a busy preferred port is stepped around to one above it', async () => {
  const busy = await occupy();
  const port = await freePort(busy);
  expect(port).toBeGreaterThan(busy);
  expect(port).toBeLessThanOrEqual(busy + 200);
  expect(await isListening(busy)).toBe(true);
  expect(await isListening(port)).toBe(false);
});

test('callers at the same time never get the same port', async () => {
  const preferred = await freePort();
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort(preferred)));
  expect(new Set(ports).size).toBe(20);
});

test('a port taken between looking and listening costs one more attempt', async () => {
  const asked: number[] = [];
  const port = await onFreePort(await freePort(), async (candidate) => {
    asked.push(candidate);
    if (asked.length === 1) {
      await occupy(candidate);
      throw new Error('address already in use');
    }
    return candidate;
  });
  expect(asked).toHaveLength(2);
  expect(port).toBe(asked[1]);
  expect(asked[1]).not.toBe(asked[0]);
});

test('a failure that is not about the port is not repeated', async () => {
  let attempts = 0;
  const starting = onFreePort(undefined, async () => {
    attempts += 1;
    throw new Error('disk full');
  });
  await expect(starting).rejects.toThrow('disk full');
  expect(attempts).toBe(1);
});
