import net from 'node:net';
import pg from 'pg';
import { ROUTE_CHANNEL } from './change-route.js';
import type { Route } from './route.js';
import { routeSchema } from './route-schema.js';

/** A model's route was moved to this epoch; `route` is what it is then, left out where the notification does not say. */
export type Hear = (model: string, epoch: number, route?: Route) => void;

/** A connection that listens for route changes and reads routes, so that what it has read is never older than what it heard. */
export interface RouteConnection {
  /** One at a time, in order. Rejects when the connection ends, and after five seconds without an answer. */
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
  ended(): boolean;
  /** Ends it at once, also when the other side is gone without a word. */
  drop(): void;
}

const PATIENCE_MS = 5_000;

/**
 * Connects and listens. A connection of its own, not one of the pool: a pool that captures keep busy would hold up a
 * rollback. Rejects when that takes more than five seconds.
 */
export async function openRouteConnection(url: string, hear: Hear): Promise<RouteConnection> {
  // A socket of ours: ending a client whose other side is gone waits for an answer that never comes.
  const socket = new net.Socket();
  const client = new pg.Client({
    connectionString: url,
    application_name: 'understudy-routes',
    keepAlive: true,
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
    stream: () => socket,
  });
  let ended = false;
  const drop = () => {
    ended = true;
    socket.destroy();
  };
  client.on('error', drop);
  client.on('end', drop);
  client.on('notification', ({ payload }) => {
    const [, model, epoch, route] = /^(\S+) (\d+)(?: (.*))?$/.exec(payload ?? '') ?? [];
    if (model !== undefined) hear(model, Number(epoch), routeOf(model, Number(epoch), route));
  });
  try {
    await client.connect();
    // What is written here is a sign of life, and may be lost: nobody waits for the disk.
    await client.query(`SET synchronous_commit = off; LISTEN ${ROUTE_CHANNEL}`);
  } catch (error) {
    drop();
    throw error;
  }
  let last: Promise<unknown> = Promise.resolve();
  return {
    query<R extends pg.QueryResultRow>(text: string, values?: unknown[]) {
      const answer = last.then(() => client.query<R>(text, values));
      last = answer.catch(() => undefined);
      return answer;
    },
    ended: () => ended,
    drop,
  };
}

/** The route that a notification carries; undefined for anything but the route of this model at this epoch. */
function routeOf(model: string, epoch: number, text: string | undefined): Route | undefined {
  if (text === undefined) return undefined;
  try {
    const { data } = routeSchema.safeParse(JSON.parse(text));
    return data?.model === model && data.epoch === epoch ? data : undefined;
  } catch {
    return undefined;
  }
}
