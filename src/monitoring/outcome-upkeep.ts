import { Counter, type Registry } from 'prom-client';
import { type Passes, runPasses } from '../background/index.js';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import { type ReconciledCut, reconcileOutcomes } from '../experiments/index.js';
import { dropOutcomes } from '../outcomes/index.js';
import type { WatchLogger } from './watch-loop.js';

const MINUTE = 60_000;

export interface UpkeepResult {
  /** Experiments that have ended, and of which nothing is kept any more. */
  dropped: string[];
  /** Live experiments whose sums were compared with a full recount. */
  reconciled: string[];
  /** Those of them whose sums were wrong, and are made anew. */
  wrong: string[];
}

export type OutcomeUpkeep = Passes<UpkeepResult>;

const ENDED = `
SELECT DISTINCT c.experiment_id AS id FROM outcome_cuts c
 WHERE NOT EXISTS (SELECT FROM experiments e WHERE e.id = c.experiment_id AND e.ended_at IS NULL)`;

const DUE = `
SELECT experiment_id AS id FROM outcome_cuts
 WHERE feedback_window_ms = 0 AND reconciled_at <= now() - $1 * interval '1 ms' ORDER BY reconciled_at`;

// Claimed by the moment that is written: of several servers one compares.
const CLAIM = `
UPDATE outcome_cuts SET reconciled_at = now()
 WHERE experiment_id = $2 AND feedback_window_ms = 0 AND reconciled_at <= now() - $1 * interval '1 ms'`;

/**
 * Looks after the sums of outcomes: drops those of experiments that have ended, and compares those of live ones with a full
 * recount from rows, each every six hours, one after the other. A difference is a defect: it is logged as an error and
 * counted, and the sums are made anew.
 */
export function startOutcomeUpkeep(
  db: Db,
  options: {
    logger: WatchLogger;
    /** Where differences are counted. */
    registry: Registry;
    /** Between two passes. */
    everyMs?: number;
    /** How old a comparison may become. */
    reconcileEveryMs?: number;
  },
): OutcomeUpkeep {
  const { logger, registry, everyMs = 10 * MINUTE, reconcileEveryMs = 360 * MINUTE } = options;
  const wrongSums = new Counter({
    name: 'understudy_outcome_sums_wrong_total',
    help: 'Experiments whose sums of outcomes differed from a recount, and were made anew',
    registers: [registry],
  });
  const comparisons = new Counter({
    name: 'understudy_outcome_sums_reconciled_total',
    help: 'Experiments whose sums of outcomes were compared with a recount',
    registers: [registry],
  });

  async function passOnce(stopping: AbortSignal): Promise<UpkeepResult> {
    const result: UpkeepResult = { dropped: [], reconciled: [], wrong: [] };
    const { rows: ended } = await db.pool.query<{ id: string }>(ENDED);
    for (const { id } of ended) {
      await dropOutcomes(db, id);
      result.dropped.push(id);
    }
    const { rows: due } = await db.pool.query<{ id: string }>(DUE, [reconcileEveryMs]);
    for (const { id } of due) {
      if (stopping.aborted) break;
      const { rowCount } = await db.pool.query(CLAIM, [reconcileEveryMs, id]);
      if (rowCount === 0) continue;
      const cuts = await reconcileOutcomes(db, id);
      if (cuts.length > 0) {
        result.reconciled.push(id);
        comparisons.inc();
      }
      const differ = cuts.filter(({ agrees }) => !agrees);
      if (differ.length === 0) continue;
      result.wrong.push(id);
      wrongSums.inc();
      logger.error({ experiment: id, cuts: differ.map(facts) }, 'sums of outcomes were wrong; made anew from rows');
    }
    return result;
  }

  return runPasses(passOnce, {
    ...{ everyMs, atOnce: true },
    onFailure: (error) => logger.warn({ detail: errorDetail(error) }, 'sums of outcomes not looked after; again later'),
  });
}

function facts({ feedbackWindowMs, sums, rows }: ReconciledCut): object {
  return { feedback_window_ms: feedbackWindowMs, sums, rows };
}
