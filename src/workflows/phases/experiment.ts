import type { RegisteredVersion } from '../../activities/contract.js';
import { mostLooks } from '../../policy/most-looks.js';
import * as activities from '../activities.js';
import { asOf, CYCLE_ACTOR, type Cycle } from '../cycle.js';
import { parkUnless, parkUntilDone } from '../parking.js';
import type { UndoList } from '../saga.js';
import { ROUTE_BACK } from '../undo-names.js';
import { changedByOther, type Verdict } from '../verdict.js';
import { endExperiment } from './end-experiment.js';
import { awaitLook, plannedLooks } from './extend.js';
import { heardDuringExperiment, judge, type LiveExperiment } from './judge-look.js';

/**
 * Champion against candidate on live traffic. Nothing is promoted before the floor unless an operator forces it; the watch
 * loop may stop it at any time. Ends with the route as it was, except for a candidate that is to be promoted.
 */
export async function experiment(cycle: Cycle, { version }: RegisteredVersion, undo: UndoList): Promise<Verdict> {
  const { messages, plan } = cycle;
  messages.open('experiment');
  await cycle.enter('experimenting');
  undo.add(ROUTE_BACK, ({ outcome, reason }) =>
    activities.undoRoute({
      cycleId: cycle.id,
      actor: CYCLE_ACTOR,
      reason: `${outcome}: ${reason}`.slice(0, 200),
      asOf: asOf(),
    }),
  );
  const expectedEpoch = cycle.epoch;
  const started = await parkUntilDone(cycle, 'startExperiment', () =>
    activities.startExperiment({ cycleId: cycle.id, candidate: version, expectedEpoch, asOf: asOf() }),
  );
  if (started.routeChanged) return changedByOther(started, false);

  const { experimentId, epoch, startedAt, minEndsAt, maxEndsAt } = started;
  const { minDurationMs, maxDurationMs, lookEveryMs } = plan;
  const looks = mostLooks({ shadowFirst: plan.shadowFirst === true, manual: plan.approval === 'manual' });
  const lasts = { minDurationMs, maxDurationMs, lookEveryMs, extensions: 0, mostLooks: looks };
  const horizon = { startedAt: Date.parse(startedAt), ...lasts };
  const live: LiveExperiment = { experimentId, epoch, floorAt: horizon.startedAt + minDurationMs, horizon };
  messages.identify(experimentId, live.floorAt);
  messages.looksUntil(horizon);
  cycle.hasExperiment({ id: experimentId, startedAt, minEndsAt, maxEndsAt });

  for (let k = 1; ; k += 1) {
    const { last } = await awaitLook(cycle, live, k);
    let verdict = heardDuringExperiment(cycle, live);
    // After a long outage several looks are due at once: the latest one has seen what the others would have.
    const overtaken = !last && Date.now() >= plannedLooks(live)[k]!.at;
    if (verdict === null && !overtaken) {
      if (last) messages.looksUntil(null);
      const look = await parkUnless(
        cycle,
        'takeLook',
        () => messages.pending,
        () => activities.takeLook({ experimentId, k, asOf: asOf(), isLast: last }),
      );
      if (look !== null) cycle.hasLook(look);
      live.epoch = look?.epoch ?? live.epoch;
      verdict = judge(cycle, live, look, last);
    }
    if (verdict?.decision === 'promote') return verdict;
    if (verdict !== null) return endExperiment(cycle, experimentId, verdict);
  }
}
