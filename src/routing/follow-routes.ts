import pg from 'pg';
import type { Db } from '../db/index.js';
import { ROUTE_CHANNEL } from './change-route.js';
import { readRoutes } from './read-route.js';
import type { Route } from './route.js';

export interface RouteFollower {
  /**
   * The last route read, or undefined for an unknown model. `expired`: it was not read again for `validForMs`; the champion
   * alone answers then, and the arm a subject belongs to is still recorded.
   */
  current(model: string): (Route & { expired: boolean }) | undefined;
  models(): string[];
  /** Whether routes have been read at all, and how long ago the last reading was, in milliseconds. */
  age(): number | undefined;
  /** Reads at once; resolves when the reading is in force. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Keeps all routes in memory: NOTIFY for speed, a poll every second to catch a listener that died silently. Level-triggered:
 * each signal only causes a new reading of everything. While Postgres is away the last reading stays in force; older than
 * `validForMs` it is marked as expired.
 */
export async function followRoutes(
  db: Db,
  options: { pollMs?: number; onError?: (error: unknown) => void; clock?: () => number } = {},
): Promise<RouteFollower> {
  const clock = options.clock ?? (() => performance.now());
  let routes = new Map<string, Route>();
  let readAt: number | undefined;
  let closed = false;
  let listener: pg.Client | undefined;
  let reading: Promise<void> | undefined;
  let again = false;

  async function readOnce(): Promise<void> {
    const startedAt = clock();
    const fresh = await readRoutes(db);
    routes = new Map(fresh.map((route) => [route.model, route]));
    readAt = startedAt;
  }
  /** One reading at a time; a signal during a reading causes one more, so that the newest commit is always seen. */
  function refresh(): Promise<void> {
    if (reading !== undefined) {
      again = true;
      return reading;
    }
    reading = (async () => {
      do {
        again = false;
        await readOnce();
      } while (again);
    })().finally(() => {
      reading = undefined;
    });
    return reading;
  }
  const quietly = () => refresh().catch((error: unknown) => options.onError?.(error));

  async function listen(): Promise<void> {
    const client = new pg.Client({ connectionString: db.url, application_name: 'understudy-routes', keepAlive: true });
    const drop = () => {
      if (listener === client) listener = undefined;
      client.end().catch(() => undefined);
    };
    client.on('error', drop);
    client.on('end', drop);
    client.on('notification', () => void quietly());
    await client.connect();
    if (closed) return drop();
    await client.query(`LISTEN ${ROUTE_CHANNEL}`);
    // Closed while it connected: nobody would ever end it, and it would keep the process alive.
    if (closed) return drop();
    listener = client;
  }

  let connecting = false;
  const timer = setInterval(() => {
    void quietly();
    if (listener === undefined && !connecting) {
      connecting = true;
      listen()
        .catch((error: unknown) => options.onError?.(error))
        .finally(() => {
          connecting = false;
        });
    }
  }, options.pollMs ?? 1_000);
  timer.unref();

  await listen().catch((error: unknown) => options.onError?.(error));
  await quietly();

  return {
    current(model) {
      const route = routes.get(model);
      if (route === undefined) return undefined;
      return { ...route, expired: readAt === undefined || clock() - readAt > route.validForMs };
    },
    models: () => [...routes.keys()],
    age: () => (readAt === undefined ? undefined : clock() - readAt),
    refresh,
    async close() {
      closed = true;
      clearInterval(timer);
      await reading?.catch(() => undefined);
      await listener?.end().catch(() => undefined);
    },
  };
}
