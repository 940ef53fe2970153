import type { Db } from '../db/index.js';
import { metricValues } from '../interactions/index.js';
import { type MeasuredMetric, primaryOf } from '../policy/index.js';
import {
  addMetricSums,
  type Comparison,
  compareComposites,
  comparisonInterval,
  cuped,
  type Limits,
  noveltySlice,
  pickMetrics,
} from '../stats/index.js';
import { improvement } from './compare-metric.js';
import { CUT_SQL } from './cut-sql.js';
import { type Experiment, findExperiment, slowLimitsOf } from './experiment.js';
import { type MetricRule, metricsOf, ruleOfMetric } from './metric-rules.js';
import { type MeasuredArm, toMeasuredArm, valueSumsSql } from './metric-sums-sql.js';

/** Subjects, by version. */
export interface ArmSubjects {
  champion: number;
  challenger: number;
}

/** A difference as improvement: above 0 the challenger is better, also where less of the metric is. */
export interface ExploredEffect {
  /** null: unknown */
  delta: number | null;
  /** Δ ± c·se with `boundary`; null without one */
  interval: Limits | null;
}

/**
 * One experiment's primary metric in other lights. Nothing here decides, or is stored. `champion` is the version that was there
 * before and `challenger` the new one, in a bake as well.
 */
export interface Exploration {
  id: string;
  kind: Experiment['kind'];
  champion: number;
  challenger: number;
  /** The metric that decides. */
  primary: string;
  /** The newest look, at whose moment everything is taken; null before the first one, and in a bake. */
  look: number | null;
  /** T; without a look now, or the end of what has ended. */
  asOf: Date;
  /** What z was held against at the look; null without one, where no z could stop, and in a bandit. */
  boundary: number | null;
  /** As measured, subject by subject. */
  plain: ExploredEffect & { subjects: ArmSubjects };
  /** Less what the subjects' history explains; null where too few of an arm had been here before. */
  adjusted:
    | (ExploredEffect & {
        /** How many days before the start were looked at. */
        days: number;
        /** Subjects with a history. */
        subjects: ArmSubjects;
        theta: number;
        /** Share of the variance of Δ that the history explains. */
        reduction: number;
      })
    | null;
  /** Who came in the first half of the time against who came later. */
  novelty: {
    /** The first exposure from which on somebody is late. */
    lateFrom: Date;
    early: { delta: number | null; subjects: ArmSubjects };
    late: { delta: number | null; subjects: ArmSubjects };
    /** late − early */
    change: ExploredEffect;
  };
}

const HISTORY_DAYS = 30;
const DAY = 86_400_000;

/**
 * Reads the effect of a model's newest A/B test, or of the experiment with this id, as of its newest look: plain, adjusted for what
 * its subjects were like in the 30 days before it (CUPED), and among who came early and who came late. From rows.
 *
 * @throws UnderstudyError `unknown_model`, `not_found`
 */
export async function exploreEffect(
  db: Pick<Db, 'prisma' | 'pool'>,
  model: string,
  { id, now = new Date() }: { id?: string; now?: Date } = {},
): Promise<Exploration> {
  const experiment = await findExperiment(db, model, { id, kind: 'ab' });
  const { kind, champion, challenger, settings, startedAt, endedAt } = experiment;
  const look = await db.prisma.look.findFirst({ where: { experimentId: experiment.id }, orderBy: { k: 'desc' } });
  const asOf = look?.takenAt ?? (endedAt !== null && endedAt < now ? endedAt : now);
  const until = new Date(Math.max(startedAt.getTime(), asOf.getTime() - settings.experiment.feedback_window));
  const lateFrom = new Date((startedAt.getTime() + until.getTime()) / 2);
  const primary = primaryOf(settings.experiment);
  const rule = ruleOfMetric(primary);
  const parts = primary.kind === 'composite' ? metricsOf(settings.experiment, [rule]) : [primary];
  const weights = parts.map(({ name }) => rule.weights[name]!);
  const [early, late] = await readHalves(db, experiment, { parts, asOf, until, lateFrom });

  const boundary = look?.boundary ?? null;
  const effect = (compared: Comparison) => asImprovement(rule, compared, boundary);
  const outcome = parts.map((_, j) => j);
  const before = parts.map((_, j) => parts.length + j);
  const all = { champion: add(early.champion, late.champion), challenger: add(early.challenger, late.challenger) };
  const plain = compareComposites(only(all.champion, outcome), only(all.challenger, outcome), weights);
  const adjusted = cuped(all.champion, all.challenger, weights);
  const outcomes = (half: Arms) => ({
    champion: only(half.champion, outcome),
    challenger: only(half.challenger, outcome),
  });
  const novelty = noveltySlice(outcomes(early), outcomes(late), weights);
  const delta = (value: number | null) => (value === null ? null : improvement(rule, value));
  return {
    ...{ id: experiment.id, kind, primary: primary.name, look: look?.k ?? null, asOf, boundary },
    ...(kind === 'ab' ? { champion, challenger } : { champion: challenger, challenger: champion }),
    plain: { ...effect(plain), subjects: subjectsOf(all, outcome) },
    adjusted: adjusted.tested
      ? {
          ...effect(adjusted),
          ...{ days: HISTORY_DAYS, subjects: subjectsOf(all, before) },
          ...{ theta: adjusted.theta, reduction: adjusted.reduction },
        }
      : null,
    novelty: {
      lateFrom,
      early: { delta: delta(novelty.early), subjects: subjectsOf(early, outcome) },
      late: { delta: delta(novelty.late), subjects: subjectsOf(late, outcome) },
      change: effect(novelty),
    },
  };
}

interface Arms {
  champion: MeasuredArm;
  challenger: MeasuredArm;
}

/** Each part of the primary metric, and each as it was before the start, of who came early and of who came late. */
async function readHalves(
  db: Pick<Db, 'pool'>,
  { id, model, kind, startedAt, settings }: Experiment,
  { parts, asOf, until, lateFrom }: { parts: readonly MeasuredMetric[]; asOf: Date; until: Date; lateFrom: Date },
): Promise<[early: Arms, late: Arms]> {
  const parameters: unknown[] = [id, asOf, until];
  const parameter = (value: unknown) => `$${parameters.push(value)}`;
  const [start, of] = [`${parameter(startedAt)}::timestamptz`, parameter(model)];
  const from = parameter(new Date(startedAt.getTime() - HISTORY_DAYS * DAY));
  const names = { minRating: settings.min_rating, slowLimits: slowLimitsOf(settings), parameter };
  const values = [
    ...parts.map((metric) => metricValues(metric, { ...names, interactions: 'asked', asOf: '$2' })),
    // As it was known at the start: what came since may be an effect of the experiment.
    ...parts.map((metric) => metricValues(metric, { ...names, interactions: 'earlier', asOf: start })),
  ];
  const { rows } = await db.pool.query<Record<string, unknown>>(
    `${CUT_SQL}, earlier AS (
  SELECT i.id, i.subject, cut.arm, i.response, i.status, i.tags, i.latency_ms, i.prompt_tokens, i.completion_tokens, i.version
    FROM interactions i JOIN cut ON cut.subject = i.subject
   WHERE i.model = ${of} AND i.asked_at >= ${from} AND i.asked_at < ${start} AND i.received_at <= ${start}
), now_and_then AS (
  SELECT id, subject, arm FROM asked UNION ALL SELECT id, subject, arm FROM earlier
), ${valueSumsSql(values, { rows: 'now_and_then', by: `c.exposed_at >= ${parameter(lateFrom)}` })}`,
    parameters,
  );
  const arm = (name: string, late: boolean) =>
    toMeasuredArm(
      rows.find((row) => row.arm === name && row.side === late),
      values.length,
    );
  const half = (late: boolean): Arms =>
    kind === 'ab'
      ? { champion: arm('champion', late), challenger: arm('challenger', late) }
      : { champion: arm('holdback', late), challenger: arm('champion', late) };
  return [half(false), half(true)];
}

function add(early: MeasuredArm, late: MeasuredArm): MeasuredArm {
  const measured = early.measured.map(({ n, subjects }, j) => {
    const other = late.measured[j]!;
    return { n: n + other.n, subjects: subjects + other.subjects };
  });
  // An arm that nobody of one half is in has no references to share.
  if (late.N === 0) return early;
  return early.N === 0 ? late : { ...addMetricSums(early, late), measured };
}

/** Some of the metrics, as of the subjects that the least of them was measured on. */
function only(arm: MeasuredArm, picked: readonly number[]) {
  return pickMetrics(arm, picked, leastSubjects(arm, picked));
}

function subjectsOf({ champion, challenger }: Arms, picked: readonly number[]): ArmSubjects {
  return { champion: leastSubjects(champion, picked), challenger: leastSubjects(challenger, picked) };
}

function leastSubjects({ measured }: MeasuredArm, picked: readonly number[]): number {
  return Math.min(...picked.map((j) => measured[j]!.subjects));
}

function asImprovement(rule: MetricRule, compared: Comparison, boundary: number | null): ExploredEffect {
  const { delta } = compared;
  if (delta === null) return { delta, interval: null };
  const around = boundary === null ? null : comparisonInterval(compared, boundary);
  const ends = around && [improvement(rule, around.lower), improvement(rule, around.upper)];
  return {
    delta: improvement(rule, delta),
    interval: ends && { lower: Math.min(...ends), upper: Math.max(...ends) },
  };
}
