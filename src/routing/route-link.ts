import type pg from 'pg';
import { type Hear, openRouteConnection, type RouteConnection } from './route-connection.js';

/** A connection for routes that is made again whenever it is lost. */
export interface RouteLink {
  /** Whether there is a connection that listens. */
  listening(): boolean;
  /** Connects first where that is needed. Rejects when Postgres does not answer. */
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
  /**
   * The same for a statement that may be asked twice. A connection that ended, or that says nothing for a quarter of a
   * second, is replaced by a new one: one that was cut without a word would otherwise be found out after minutes.
   */
  read<R extends pg.QueryResultRow>(text: string): Promise<pg.QueryResult<R>>;
  /** Listens anew. */
  replace(): void;
  close(): void;
}

const SILENCE_MS = 250;
/** Postgres may be slow, and is not helped by a new connection every second. */
const REPLACED_AT_MOST_EVERY_MS = 5_000;

/**
 * Opens nothing yet: the first statement does.
 *
 * @param onConnected a connection listens from now on; what was changed before was not heard
 */
export function openRouteLink(url: string, hear: Hear, onConnected: () => void): RouteLink {
  let current: RouteConnection | undefined;
  let opening: Promise<RouteConnection> | undefined;
  let doubtedAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  function live(): RouteConnection | undefined {
    return current?.ended() === false ? current : undefined;
  }

  /** One at a time; the connection before it is dropped once the new one listens. */
  function open(): Promise<RouteConnection> {
    opening ??= openRouteConnection(url, hear)
      .then((fresh) => {
        current?.drop();
        current = fresh;
        if (closed) fresh.drop();
        else onConnected();
        return fresh;
      })
      .finally(() => {
        opening = undefined;
      });
    return opening;
  }

  return {
    listening: () => live() !== undefined,
    async query(text, values) {
      return (live() ?? (await open())).query(text, values);
    },
    async read<R extends pg.QueryResultRow>(text: string) {
      const connection = live();
      if (connection === undefined) return (await open()).query<R>(text);
      const answer = connection.query<R>(text);
      const heard = await within(SILENCE_MS, answer);
      if (heard === 'answered') return answer;
      if (heard === 'silent') {
        if (performance.now() - doubtedAt < REPLACED_AT_MOST_EVERY_MS) return answer;
        doubtedAt = performance.now();
      }
      const again = open().then((fresh) => fresh.query<R>(text));
      // Slow is not dead: whichever answers first.
      return heard === 'failed' ? again : Promise.any([answer, again]).catch(() => again);
    },
    replace() {
      current?.drop();
    },
    close() {
      closed = true;
      current?.drop();
    },
  };
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<'answered' | 'failed' | 'silent'> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<'silent'>((resolve) => {
    timer = setTimeout(() => resolve('silent'), milliseconds);
  });
  const end = work.then(
    () => 'answered' as const,
    () => 'failed' as const,
  );
  return Promise.race([end, silence]).finally(() => clearTimeout(timer));
}
