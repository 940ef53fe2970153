import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttableProxy {
  port: number;
  /** Ends every connection and refuses new ones, as a server that was stopped does. */
  cut(): Promise<void>;
  /** The connections there are say nothing any more, and nobody is told; new ones work. As a cable that was pulled. */
  freeze(): void;
  /** Accepts connections again, on the same port. Does nothing while it does. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Forwards TCP to a server on this machine, so that a test can take it away from one client without stopping it. */
export async function startCuttableProxy(host: string, port: number): Promise<CuttableProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host, port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  const listen = (on: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(on, '127.0.0.1', () => resolve());
    });
  await listen(0);
  const own = (server.address() as AddressInfo).port;
  const cut = async () => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    port: own,
    cut,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause().removeAllListeners('close');
    },
    restore: async () => (server.listening ? undefined : listen(own)),
    close: cut,
  };
}
