import { z } from 'zod';
import { openStateFile, type StateFolder } from '../state/index.js';
import type { Route } from './route.js';
import { routeSchema } from './route-schema.js';

export interface SavedRoutes {
  /** The last routes that this or another server of the folder has read, and when. */
  load(): Promise<{ readAt: Date; routes: Route[] } | undefined>;
  /** Throws what the disk says. */
  save(readAt: Date, routes: readonly Route[]): Promise<void>;
}

const schema = z.strictObject({ readAt: z.iso.datetime(), routes: z.array(routeSchema) });

/** The last known good routes on disk, for a gateway that starts while Postgres is away. */
export function openSavedRoutes(state: StateFolder, onIgnored: (why: string) => void): SavedRoutes {
  const file = openStateFile(state, 'routes', { version: 1, schema }, onIgnored);
  return {
    async load() {
      const saved = await file.read();
      return saved && { readAt: new Date(saved.readAt), routes: saved.routes };
    },
    save: (readAt, routes) => file.write({ readAt: readAt.toISOString(), routes: [...routes] }),
  };
}
