import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Connections on which nothing ever came, as clients and balancers keep them ready: node takes them for busy until their
 * time-out, and a shutdown would wait for it. The function that is returned closes them.
 */
export function followSilentConnections(server: Server): () => void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  };
}
