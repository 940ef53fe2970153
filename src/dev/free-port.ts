import net from 'node:net';

function canListen(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address() as net.AddressInfo;
      server.close(() => resolve(address.port));
    });
  });
}

const handedOut = new Set<number>();

/**
 * A TCP port on which nothing listens: `preferred`, else the next free one above it (at most 200 further), else, like
 * without `preferred`, any the system gives. A port is handed out once per process, so that two parts which are
 * being started at the same time never get the same one.
 */
export async function freePort(preferred = 0, host = '127.0.0.1'): Promise<number> {
  for (let port = preferred; preferred > 0 && port <= Math.min(preferred + 200, 65_535); port += 1) {
    if (handedOut.has(port) || (await canListen(port, host)) === undefined) continue;
    // Looked at again: another caller may have been given it while this one waited for the answer.
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    return port;
  }
  for (;;) {
    const port = await canListen(0, host);
    if (port === undefined || handedOut.has(port)) continue;
    handedOut.add(port);
    return port;
  }
}

/** Lets a port be handed out again: what it was taken for listens by now, or will never. */
export function releasePort(port: number): void {
  handedOut.delete(port);
}

/** Does something accept TCP connections there? */
export function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/**
 * Starts something on a port and steps around one that somebody else took between looking and listening.
 *
 * @param start is given the port; when it fails and the port turns out to be taken, it is called with the next one
 */
export async function onFreePort<T>(
  preferred: number | undefined,
  start: (port: number) => Promise<T>,
  host = '127.0.0.1',
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(preferred, host);
    try {
      return await start(port);
    } catch (error) {
      if (attempt >= 5 || !(await isListening(port, host))) throw error;
    } finally {
      releasePort(port);
    }
  }
}
