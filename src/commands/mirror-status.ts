import { type MirrorStatus, showMirrors } from '../mirrors/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** How far each mirror is, and what did not get through. */
export async function mirrorStatus(model: string | undefined, options: { json?: boolean }): Promise<void> {
  const mirrors = await withDb((db) => showMirrors(db, model));
  show(options.json ?? false, mirrors, () =>
    mirrors.length === 0 ? 'No policy names a mirror. See docs/mirrors.md.' : describe(mirrors).join('\n'),
  );
}

function describe(mirrors: readonly MirrorStatus[]): string[] {
  return [
    table(
      ['model', 'mirror', 'delivered', 'waiting', 'dead', 'last delivered'],
      mirrors.map((row) => [
        row.model,
        row.configured ? row.mirror : `${row.mirror} (not in the policy)`,
        row.delivered,
        row.waiting,
        row.dead,
        row.last_delivered_at,
      ]),
    ),
    ...mirrors.flatMap(({ model, mirror, pending }) =>
      pending.map(
        ({ event, kind, state, attempts, next_at, last_error }) =>
          `${model} ${mirror} ${event} ${kind}: ${state === 'dead' ? 'dead' : `waits until ${next_at}`}, ${attempts} attempts${last_error === null ? '' : `, ${last_error}`}`,
      ),
    ),
  ];
}
