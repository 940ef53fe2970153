import type { Db } from '../db/index.js';
import type { StateFolder } from '../state/index.js';
import { type GatewayRegister, openGatewayRegister } from './gateway-register.js';
import type { Route } from './route.js';
import { openRouteLink } from './route-link.js';
import { openSavedRoutes } from './saved-routes.js';

/** `expired`: it was not read again for `validForMs`; the champion alone answers, and the subject's arm is still recorded. */
export type FollowedRoute = Readonly<Route & { expired: boolean }>;

export interface FollowStatus {
  /** Where the routes in force come from: read from Postgres, or left on disk by an earlier process. */
  source: 'postgres' | 'saved' | undefined;
  /** Whether changes are heard at once; otherwise they are found by the next reading. */
  listening: boolean;
  /** Readings of all routes, readings of one, and notifications that needed none: they carried the route, or it was known. */
  reads: { all: number; one: number; told: number; known: number };
}

export interface RouteFollower {
  /** The last route known, or undefined for an unknown model. Costs no allocation. */
  current(model: string): FollowedRoute | undefined;
  models(): string[];
  /**
   * How long ago the last reading of all routes was, in milliseconds, also when an earlier process did it; infinite when
   * that cannot be told, undefined when there was none.
   */
  age(): number | undefined;
  status(): FollowStatus;
  /** Reads all at once; resolves when the reading is in force. */
  refresh(): Promise<void>;
  /** Says goodbye to those who wait for gateways: call it when no request can begin any more. */
  close(): Promise<void>;
}

export interface FollowOptions {
  pollMs?: number;
  onError?: (error: unknown) => void;
  /** Notifications did not come, though their connection is alive; it listens anew. */
  onDeaf?: () => void;
  /** Monotonic milliseconds. */
  clock?: () => number;
  /** Where the last known good routes are kept for the next start, and what hears that they cannot be taken. */
  saved?: { state: StateFolder; onIgnored?: (why: string) => void } | undefined;
  /** Under this name others see how far this process is; without it nobody waits for it. */
  gateway?: string;
}

interface Held {
  readAt: number;
  /** In force since then: when its reading began, or a notification told it. */
  since: number;
  fresh: FollowedRoute;
  expired: FollowedRoute;
}

const COLUMNS = `model, epoch, champion, previous, challenger, share, experiment_id AS "experimentId", valid_for_ms AS "validForMs", promoted_at AS "promotedAt"`;
/** A start with saved routes waits no longer for Postgres. */
const START_PATIENCE_MS = 1_000;
const GOODBYE_PATIENCE_MS = 1_000;
/** The saved routes may look this much older than they are. */
const SAVED_EVERY_MS = 15_000;

/**
 * Keeps all routes in memory. A notification carries the new route, which is in force at once: a reading would cost a turn
 * of a busy process and one of a busy Postgres. A poll every second reads all, and finds out a listener that is dead or deaf.
 * While Postgres is away the last reading stays in force, also over a restart; older than `validForMs` it is marked as expired.
 */
export async function followRoutes(db: Pick<Db, 'url'>, options: FollowOptions = {}): Promise<RouteFollower> {
  const { pollMs = 1_000, onError = () => undefined, clock = () => performance.now() } = options;
  const reads = { all: 0, one: 0, told: 0, known: 0 };
  let held = new Map<string, Held>();
  let readAt: number | undefined;
  let source: FollowStatus['source'];
  let closed = false;

  /** Epochs that were announced, and those found by reading that nobody had announced yet. */
  const announced = new Map<string, number>();
  let unannounced = new Map<string, { epoch: number; since: number }>();
  /** Since the last reading of all routes every change must have been heard. */
  let hearsAll = false;

  const link = openRouteLink(db.url, hear, () => {
    hearsAll = false;
    unannounced = new Map();
  });
  const saved = options.saved && openSavedRoutes(options.saved.state, options.saved.onIgnored ?? (() => undefined));
  let savedAt = Number.NEGATIVE_INFINITY;
  let saving: Promise<unknown> | undefined;
  const register: GatewayRegister | undefined =
    options.gateway === undefined
      ? undefined
      : openGatewayRegister(link, options.gateway, () =>
          Object.fromEntries([...held].map(([model, { fresh }]) => [model, fresh.epoch])),
        );

  function hold(route: Route, readAt: number, since = readAt): Held {
    return { readAt, since, fresh: { ...route, expired: false }, expired: { ...route, expired: true } };
  }

  const quietly = (work: Promise<unknown> | undefined) => work?.catch(onError);

  /** Called once what was read is in memory: from here on no request begins on what was there before. */
  function inForce(changed: boolean): void {
    if (changed) void quietly(register?.applied());
    if (saved === undefined || (!changed && clock() - savedAt < SAVED_EVERY_MS)) return;
    savedAt = clock();
    const routes = [...held.values()].map(({ fresh: { expired: _expired, ...route } }) => route);
    routes.sort((a, b) => (a.model < b.model ? -1 : 1));
    saving = quietly(saved.save(new Date(Date.now() - (clock() - (readAt ?? clock()))), routes));
  }

  async function readAll(): Promise<void> {
    const startedAt = clock();
    const { rows } = await link.read<Route & Record<string, unknown>>(`SELECT ${COLUMNS} FROM routes`);
    reads.all += 1;
    const before = held;
    held = new Map(
      rows.map((route) => {
        const was = before.get(route.model);
        // Told while the reading was under way, on another connection perhaps.
        const newer = was !== undefined && was.since > startedAt && was.fresh.epoch > route.epoch;
        return [route.model, newer ? was : hold(route, startedAt)];
      }),
    );
    readAt = startedAt;
    const isFirst = source !== 'postgres';
    source = 'postgres';
    const moved = [...held.values()]
      .map(({ fresh }) => fresh)
      .filter(({ model, epoch }) => before.get(model)?.fresh.epoch !== epoch);
    if (hearsAll) {
      for (const { model, epoch } of moved)
        if ((announced.get(model) ?? 0) < epoch) unannounced.set(model, { epoch, since: performance.now() });
    }
    hearsAll = true;
    inForce(isFirst || moved.length > 0 || before.size !== held.size);
  }

  async function readOne(model: string): Promise<void> {
    const startedAt = clock();
    const { rows } = await link.query<Route & Record<string, unknown>>(
      `SELECT ${COLUMNS} FROM routes WHERE model = $1`,
      [model],
    );
    reads.one += 1;
    const before = held.get(model)?.fresh.epoch;
    const [route] = rows;
    if (route === undefined) held.delete(model);
    else held.set(model, hold(route, startedAt));
    inForce(route?.epoch !== before);
  }

  const wanted = new Map<string, number>();
  function hear(model: string, epoch: number, route?: Route): void {
    announced.set(model, Math.max(epoch, announced.get(model) ?? 0));
    const before = held.get(model);
    const isKnown = (before?.fresh.epoch ?? 0) >= epoch;
    if (isKnown || wanted.has(model) || closed) {
      if (isKnown) reads.known += 1;
      else wanted.set(model, Math.max(epoch, wanted.get(model) ?? 0));
      return;
    }
    if (before !== undefined && route !== undefined) {
      // As old as the last reading, whenever it was sent: what is heard late must not look fresh.
      held.set(model, hold(route, before.readAt, clock()));
      reads.told += 1;
      inForce(true);
      return;
    }
    wanted.set(model, epoch);
    void (async () => {
      for (let asked = 0; asked < (wanted.get(model) ?? 0); ) {
        asked = wanted.get(model)!;
        await readOne(model);
        // What was read may be newer than what was asked for.
        asked = Math.max(asked, held.get(model)?.fresh.epoch ?? 0);
      }
    })()
      .catch(onError)
      .finally(() => wanted.delete(model));
  }

  /** A change that was found by reading must have been announced a poll later: otherwise nothing is heard here. */
  function checkHearing(): void {
    for (const [model, { epoch, since }] of unannounced) {
      if ((announced.get(model) ?? 0) >= epoch) unannounced.delete(model);
      else if (performance.now() - since >= pollMs / 2) {
        unannounced = new Map();
        options.onDeaf?.();
        link.replace();
        return;
      }
    }
  }

  let registered = false;
  let reading: Promise<void> | undefined;
  let again = false;
  /** One reading at a time; a call during a reading causes one more, so that the newest commit is always seen. */
  function refresh(): Promise<void> {
    if (reading !== undefined) {
      again = true;
      return reading;
    }
    reading = (async () => {
      do {
        again = false;
        await readAll();
      } while (again && !closed);
    })().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function poll(): Promise<void> {
    checkHearing();
    // Before the first reading: whoever waits for gateways either sees this one, or was done before it read.
    if (!registered) await quietly(register?.applied());
    registered = true;
    await refresh();
    if (!closed) await register?.beat();
  }

  const kept = await saved?.load();
  if (kept !== undefined) {
    const age = Date.now() - kept.readAt.getTime();
    // A clock that was set back cannot tell how old it is.
    readAt = age < 0 ? Number.NEGATIVE_INFINITY : clock() - age;
    held = new Map(kept.routes.map((route) => [route.model, hold(route, readAt!)]));
    source = 'saved';
  }
  let polling: Promise<unknown> | undefined;
  const pollOnce = () => {
    polling ??= quietly(poll())?.finally(() => {
      polling = undefined;
    });
    return polling;
  };
  const timer = setInterval(() => void pollOnce(), pollMs);
  timer.unref();
  await atMost(kept === undefined ? Number.POSITIVE_INFINITY : START_PATIENCE_MS, pollOnce());

  return {
    current(model) {
      const route = held.get(model);
      if (route === undefined) return undefined;
      return clock() - route.readAt > route.fresh.validForMs ? route.expired : route.fresh;
    },
    models: () => [...held.keys()],
    age: () => (readAt === undefined ? undefined : clock() - readAt),
    status: () => ({ source, listening: link.listening(), reads: { ...reads } }),
    refresh,
    async close() {
      closed = true;
      clearInterval(timer);
      await atMost(
        GOODBYE_PATIENCE_MS,
        reading?.catch(() => undefined),
      );
      if (link.listening()) await atMost(GOODBYE_PATIENCE_MS, quietly(register?.leave()));
      link.close();
      await saving;
    },
  };
}

async function atMost(milliseconds: number, work: Promise<unknown> | undefined): Promise<void> {
  if (milliseconds === Number.POSITIVE_INFINITY) return void (await work);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
