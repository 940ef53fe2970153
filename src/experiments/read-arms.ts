import type { Db } from '../db/index.js';
import { outcomesOf, REVIEWED_SQL } from '../interactions/index.js';
import { type CutSums, readOutcomeSums } from '../outcomes/index.js';
import { digestOf, type MeasuredMetric, POSITIVE_FEEDBACK } from '../policy/index.js';
import { type ArmSums, checkArmSums } from '../stats/index.js';
import { ARM_SUMS_SQL, armSumsOf } from './arm-sums-sql.js';
import { cutSql } from './cut-sql.js';

export interface CutRequest {
  experimentId: string;
  /** The arm compared with the champion's: `challenger` in an A/B test, `holdback` in a bake. */
  secondArm: 'challenger' | 'holdback';
  /** T. Nothing asked, received or retracted later is seen. */
  asOf: Date;
  /** Interactions younger than this at T are not in the cut: their feedback may still come. 0: feedback as received. */
  feedbackWindowMs: number;
  /** Share of a rating's range from which it is positive. */
  minRating: number;
  /** What says what an outcome is; positive feedback when left out. */
  primary?: MeasuredMetric;
  /** Q of the slow_rate metrics by their names, in milliseconds. */
  slowLimits?: Readonly<Record<string, number | null>>;
}

export interface Cut {
  champion: ArmSums;
  second: ArmSums;
  /** Subjects seen in both arms: counted in `O` of the arm they were in first, and in nothing else. */
  crossed: number;
  /** From the sums that are kept of live experiments, or from all rows; the numbers are the same. */
  from: 'sums' | 'rows';
  /** SHA-256 over experiment, T and all sums: two cuts with the same digest are the same. */
  readonly digest: string;
}

/** The statement by which outcomes are summed, whatever says what an outcome is. */
function armsSql(outcomes: string, of: string): string {
  return `${cutSql(of)}, outcomes AS (
  ${outcomes}
), subjects AS (
  SELECT cut.subject, cut.arm,
         cut.in_both OR coalesce(bool_or(asked.arm <> cut.arm), false) AS crossed,
         count(asked.id) AS e, count(outcomes.outcome) AS m, coalesce(sum(outcomes.outcome), 0) AS x
    FROM cut
    LEFT JOIN asked ON asked.subject = cut.subject
    LEFT JOIN outcomes ON outcomes.interaction_id = asked.id
   GROUP BY cut.subject, cut.arm, cut.in_both
), ${ARM_SUMS_SQL}`;
}

/**
 * Reads both arms of an experiment as they stood at T: by assigned arm, whatever version answered; interactions asked since
 * their subject's first exposure and at least `feedbackWindowMs` before T, with the feedback received by T. Requests and
 * failures count all requests of the arm up to T. From the sums that are kept where they are, from rows otherwise.
 */
export async function readArms(db: { pool: Pick<Db['pool'], 'query'> }, request: CutRequest): Promise<Cut> {
  const { experimentId, asOf, feedbackWindowMs, ...terms } = request;
  const sums = await readOutcomeSums(db, { asOf, feedbackWindowMs, terms, experimentIds: [experimentId] });
  const found = sums.get(experimentId);
  return found === undefined ? recountArms(db, request) : cutOf(request, found, 'sums');
}

/** `readArms`, always from rows, in one statement and so from one snapshot: what the sums have to agree with. */
export async function recountArms(db: { pool: Pick<Db['pool'], 'query'> }, request: CutRequest): Promise<Cut> {
  const { experimentId, secondArm, asOf, feedbackWindowMs, minRating, primary, slowLimits = {} } = request;
  const from = new Date(asOf.getTime() - feedbackWindowMs);
  const parameters: unknown[] = [experimentId, asOf, from, ['champion', secondArm]];
  const parameter = (value: unknown) => `$${parameters.push(value)}`;
  const names = { interactions: 'asked', asOf: '$2', minRating, parameter, slowLimits };
  // Who was not drawn for a review cannot be missing from it.
  const outcomes = outcomesOf(primary ?? POSITIVE_FEEDBACK, names);
  const { rows } = await db.pool.query<Record<string, string>>(
    armsSql(outcomes, primary?.kind === 'review' ? REVIEWED_SQL : 'true'),
    parameters,
  );
  return cutOf(request, armSumsOf(rows, secondArm), 'rows');
}

/** A cut from its sums. @throws RangeError for sums that no real arm can have, or too large for a whole number */
export function cutOf(request: Pick<CutRequest, 'experimentId' | 'asOf'>, sums: CutSums, from: Cut['from']): Cut {
  const champion = toSums(sums.champion);
  const second = toSums(sums.second);
  const crossed = sums.champion.crossed! + sums.second.crossed!;
  const { experimentId, asOf } = request;
  return {
    ...{ champion, second, crossed, from },
    // Made when it is asked for: the watch loop reads every live experiment every ten seconds and stores nothing of most.
    get digest() {
      return digestOf({ experiment: experimentId, asOf: asOf.toISOString(), champion, second, crossed });
    },
  };
}

function toSums({ crossed: _crossed, ...sums }: Record<string, number>): ArmSums {
  return checkArmSums(sums as unknown as ArmSums);
}
