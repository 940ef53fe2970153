import { randomUUID } from 'node:crypto';
import type { RouteLink } from './route-link.js';

/** How a gateway tells the others that it is there, and which epochs it follows. */
export interface GatewayRegister {
  /**
   * From now on every request that begins is answered from these epochs. Calls during a call are one more, with the
   * newest epochs.
   */
  applied(): Promise<void>;
  /** A sign of life, and what could not be told before. */
  beat(): Promise<void>;
  /** No request begins here any more. */
  leave(): Promise<void>;
}

/** Whoever is silent for so long is forgotten. */
const FORGOTTEN = '10 minutes';

/**
 * @param name where it is, for people; a gateway at the same place takes the row of the one before it away
 * @param epochs of every model, as they are now
 */
export function openGatewayRegister(
  link: Pick<RouteLink, 'query'>,
  name: string,
  epochs: () => Record<string, number>,
): GatewayRegister {
  const id = randomUUID();
  let writing: Promise<void> | undefined;
  /** There is something that Postgres has not been told. */
  let untold = true;
  let swept = false;

  async function write(): Promise<void> {
    while (untold) {
      untold = false;
      await link
        .query(
          `INSERT INTO gateways (id, name, epochs) VALUES ($1, $2, $3)
           ON CONFLICT (id) DO UPDATE SET epochs = EXCLUDED.epochs, seen_at = now()`,
          [id, name.slice(0, 200), JSON.stringify(epochs())],
        )
        .catch((error: unknown) => {
          untold = true;
          throw error;
        });
    }
    if (swept) return;
    swept = true;
    await link.query(`DELETE FROM gateways WHERE id <> $1 AND (seen_at < now() - $2::interval OR name = $3)`, [
      id,
      FORGOTTEN,
      name.slice(0, 200),
    ]);
  }

  function applied(): Promise<void> {
    untold = true;
    writing ??= write().finally(() => {
      writing = undefined;
    });
    return writing;
  }

  return {
    applied,
    async beat() {
      if (untold) return applied();
      const { rowCount } = await link.query('UPDATE gateways SET seen_at = now() WHERE id = $1', [id]);
      if (rowCount === 0) await applied();
    },
    async leave() {
      await writing?.catch(() => undefined);
      await link.query('DELETE FROM gateways WHERE id = $1', [id]);
    },
  };
}
