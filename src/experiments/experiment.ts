import type { Db, Prisma, Tx } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { digestOf, type Policy } from '../policy/index.js';
import type { Prior } from '../stats/index.js';
import type { Guardrail } from './guardrails.js';
import type { ExperimentSettings } from './look.js';
import { ruleOfMetric, ruleOfPrimary } from './metric-rules.js';

/** The sections of the policy that decide an experiment, frozen when it starts; durations in milliseconds. */
export interface FrozenSettings {
  experiment: Policy['experiment'];
  promotion: Policy['promotion'];
  /** curation.min_rating: from which share of its range a rating is positive. */
  min_rating: number;
  /**
   * With a slow_rate guardrail only: Q, from the champion's requests of the 7 days before the start, in milliseconds. Null:
   * there were too few, and each look takes Q from the champion's arm so far.
   */
  slow_limit_ms?: number | null;
  /** Q of the slow_rate metrics by their names, where there are any; null: nothing is known to be slow, nor fast. */
  slow_limits_ms?: Record<string, number | null>;
}

/** Champion against challenger on live traffic, or in a bake the new champion against the holdback. */
export interface Experiment {
  id: string;
  model: string;
  cycleId: string;
  kind: 'ab' | 'bake';
  champion: number;
  /** The version of the second arm. */
  challenger: number;
  /** Share of subjects on the second arm, constant within the experiment. */
  share: number;
  settings: FrozenSettings;
  policyDigest: string;
  sandbox: boolean;
  /** What was known beforehand; fixed at the start, so that the always-valid bounds stay valid. */
  prior: Prior;
  startedAt: Date;
  minEndsAt: Date;
  maxEndsAt: Date;
  endedAt: Date | null;
  decision: string | null;
  reason: string | null;
}

/** How an experiment ended: `promote`, `reject`, `inconclusive`, `keep` (a bake that went well), `rollback`, `undone`. */
export interface ExperimentEnd {
  decision: string;
  /** At most 200 characters. */
  reason: string;
  asOf: Date;
}

type Row = Awaited<ReturnType<Db['prisma']['experiment']['findFirstOrThrow']>>;

export function toExperiment({ p0, d0, i0: _i0, ...row }: Row): Experiment {
  return {
    ...row,
    kind: row.kind as Experiment['kind'],
    settings: row.settings as unknown as FrozenSettings,
    prior: { p0, D0: d0 },
  };
}

/** Throws `not_found`. */
export async function readExperiment(db: Pick<Db, 'prisma'>, id: string): Promise<Experiment> {
  const row = await db.prisma.experiment.findUnique({ where: { id } });
  if (row === null) throw new UnderstudyError('not_found', { what: `Experiment ${id}` });
  return toExperiment(row);
}

/** The newest experiment of a model (of this kind), or the one with this id. Throws `unknown_model`, `not_found`. */
export async function findExperiment(
  db: Pick<Db, 'prisma'>,
  model: string,
  { id, kind }: { id?: string | undefined; kind?: Experiment['kind'] },
): Promise<Experiment> {
  const known = await db.prisma.model.findUnique({ where: { name: model } });
  if (known === null) throw new UnderstudyError('unknown_model', { model });
  const row = await db.prisma.experiment.findFirst({
    where: { model, ...(id !== undefined ? { id } : kind !== undefined && { kind }) },
    orderBy: { startedAt: 'desc' },
  });
  if (row === null)
    throw new UnderstudyError('not_found', {
      what: id === undefined ? `An experiment of "${model}"` : `Experiment ${id}`,
    });
  return toExperiment(row);
}

const LIVE = `
SELECT id, model, cycle_id AS "cycleId", kind, champion, challenger, share, settings, policy_digest AS "policyDigest", sandbox,
       p0, d0, i0, started_at AS "startedAt", min_ends_at AS "minEndsAt", max_ends_at AS "maxEndsAt", ended_at AS "endedAt",
       decision, reason
  FROM experiments WHERE ended_at IS NULL ORDER BY started_at, id`;

/** All experiments that have not ended. In SQL: the watch loop reads them every ten seconds, and there may be thousands. */
export async function readLiveExperiments(db: Pick<Db, 'pool'>): Promise<Experiment[]> {
  const { rows } = await db.pool.query<Row>({ name: 'understudy-live-experiments', text: LIVE });
  return rows.map(toExperiment);
}

/** What the route change that ends an experiment carries of it, so that the chain of changes holds the end as well. */
export function endEvidence({ decision, reason, asOf }: ExperimentEnd): Record<string, string> {
  return { decision, reason: reason.slice(0, 200), as_of: asOf.toISOString() };
}

/** Ends live experiments; those that have ended keep how they ended. */
export async function endRows(tx: Tx, where: Prisma.ExperimentWhereInput, end: ExperimentEnd): Promise<void> {
  await tx.experiment.updateMany({
    where: { ...where, endedAt: null },
    data: { endedAt: end.asOf, decision: end.decision, reason: end.reason.slice(0, 200) },
  });
}

/**
 * SHA-256 over what an experiment started with. The route change that started it carries it, so that the chain of changes
 * holds the terms as well.
 */
export function termsOf(experiment: Experiment): string {
  const { endedAt: _ended, decision: _decision, reason: _reason, ...terms } = experiment;
  return digestOf({ ...terms, maxEndsAt: plannedEnd(experiment) });
}

/** When the experiment was to end at the latest before anybody extended it. */
export function plannedEnd({ kind, startedAt, settings }: Experiment): Date {
  const lasts = kind === 'bake' ? settings.promotion.bake : settings.experiment.max_duration;
  return new Date(startedAt.getTime() + lasts);
}

/** The settings in the shape the decision rule wants them in. */
export function ruleOf({ settings: { experiment }, share }: Experiment): ExperimentSettings {
  return { ...settingsOf(experiment), share };
}

/** A policy's section in that shape. */
export function settingsOf(experiment: Policy['experiment']): ExperimentSettings {
  const primary = ruleOfPrimary(experiment);
  const { metrics = [] } = experiment as Partial<Policy['experiment']>;
  return {
    test: experiment.test,
    share: experiment.share,
    alpha: experiment.alpha,
    power: experiment.power,
    minEffect: experiment.min_effect,
    targetEffect: experiment.target_effect,
    minDurationMs: experiment.min_duration,
    maxDurationMs: experiment.max_duration,
    lookEveryMs: experiment.look_every,
    minSamplesPerArm: experiment.min_samples_per_arm,
    minSubjectsPerArm: experiment.min_subjects_per_arm,
    guardrails: experiment.guardrails.map(guardrailOf),
    // Left out where nothing is said, so that the looks of experiments from before there were metrics stay as they are.
    ...(primary && { primary }),
    ...(metrics.length > 0 && { metrics: metrics.map(ruleOfMetric) }),
  };
}

function guardrailOf(guardrail: Policy['experiment']['guardrails'][number]): Guardrail {
  return 'max_ratio' in guardrail ? { metric: 'slow_rate', maxRatio: guardrail.max_ratio } : guardrail;
}

/** How much slower than the champion was slow is, by the slow_rate guardrail; undefined where there is none. */
export function slowRatioOf({ guardrails }: Policy['experiment']): number | undefined {
  return guardrails.find((guardrail) => 'max_ratio' in guardrail)?.max_ratio;
}

/** Q of the slow_rate metrics. */
export function slowLimitsOf({
  slow_limits_ms = {},
}: Pick<FrozenSettings, 'slow_limits_ms'>): Record<string, number | null> {
  return slow_limits_ms;
}
