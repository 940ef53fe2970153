import { z } from 'zod';
import { UnderstudyError } from '../errors.js';
import { replayDeliveries } from '../mirrors/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** Has dead events, or one that is named, delivered again. */
export async function mirrorReplay(
  model: string,
  { mirror, event, json }: { mirror?: string; event?: string; json?: boolean },
): Promise<void> {
  if (event !== undefined && !z.uuid().safeParse(event).success)
    throw new UnderstudyError('invalid_option', { option: '--event', detail: 'is the id that `mirror status` shows' });
  const replayed = await withDb((db) => replayDeliveries(db, { model, mirror, event, now: new Date() }));
  show(
    json ?? false,
    { model, replayed },
    () =>
      `${replayed} ${replayed === 1 ? 'delivery' : 'deliveries'} of ${model} made due again; the server sends them.`,
  );
}
