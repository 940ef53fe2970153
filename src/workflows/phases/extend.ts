import * as activities from '../activities.js';
import { asOf, type Cycle } from '../cycle.js';
import { endOf, extendedBy } from '../extension.js';
import { lookSchedule, type PlannedLook } from '../look-schedule.js';
import { parkUnless } from '../parking.js';
import { waitUntil } from '../wait-until.js';
import type { LiveExperiment } from './judge-look.js';

/** Waits for the k-th look, or until a message has to be obeyed. An extension that comes meanwhile may put the look off. */
export async function awaitLook(cycle: Cycle, live: LiveExperiment, k: number): Promise<PlannedLook> {
  const { messages } = cycle;
  for (;;) {
    const look = plannedLooks(live)[k - 1]!;
    await waitUntil(look.at, () => messages.pending || messages.extension !== null);
    if (messages.pending || messages.extension === null) return look;
    await extend(cycle, live);
  }
}

/** Every look of the experiment, with the extensions so far. */
export function plannedLooks({ horizon }: LiveExperiment): PlannedLook[] {
  return lookSchedule(horizon, horizon.startedAt);
}

/** Puts off the last look. When somebody has moved the route, it stays as it is: the next look finds that out. */
async function extend(cycle: Cycle, live: LiveExperiment): Promise<void> {
  const { messages } = cycle;
  // A look that took until now may have been in its way.
  if (Date.now() >= endOf(live.horizon)) return messages.drop('extension', 'the last look has come');
  const { by: byMs, actor, reason, request_id } = messages.extension!;
  const requestId = `${cycle.id}/extend/${request_id ?? live.horizon.extensions + 1}`;
  const { experimentId } = live;
  const moved = await parkUnless(
    cycle,
    'extendExperiment',
    () => messages.pending,
    () => activities.extendExperiment({ experimentId, byMs, actor, reason, requestId, asOf: asOf() }),
  );
  if (moved === null) return messages.drop('extension', 'the experiment was decided first');
  if (moved.routeChanged) return messages.drop('extension', `${moved.actor} has moved the route`.slice(0, 200));
  messages.extension = null;
  live.epoch = moved.epoch;
  live.horizon = extendedBy(live.horizon, byMs);
  messages.looksUntil(live.horizon);
  cycle.hasExperiment({ ...cycle.status.experiment!, maxEndsAt: moved.maxEndsAt, extensions: live.horizon.extensions });
}
