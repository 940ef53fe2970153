import { stopShadow } from '../shadow/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** Ends the shadow of a model; nothing happens when there is none. */
export async function shadowStop(model: string, options: { json?: boolean }): Promise<void> {
  const stopped = await withDb((db) => stopShadow(db, model));
  show(options.json ?? false, { model, stopped }, () =>
    stopped ? `${model}: the shadow is asked no more.` : `${model} has no shadow.`,
  );
}
