import type { Db } from '../db/index.js';
import type { ArmSums } from '../stats/index.js';
import { judgeBake } from './bake.js';
import type { MeasuredArms } from './compare-metric.js';
import { type Experiment, ruleOf } from './experiment.js';
import type { GuardrailResult } from './guardrails.js';
import { judgeHarm } from './harm.js';
import type { Cut } from './read-arms.js';
import { readMeasured, readOutcomes } from './read-cut.js';

/** Where a live experiment stands, on the feedback received so far. */
export interface Judgement {
  /** Take the challenger off traffic, or undo the promotion, now. */
  stop: boolean;
  reason: 'harm' | 'guardrail' | 'bake_harm' | null;
  champion: ArmSums;
  second: ArmSums;
  /** What a route change made on it carries. */
  evidence(): Record<string, unknown>;
  /** At most 200 characters. */
  summary: string;
}

/** `judgeCut` of an experiment at T = `asOf`, no feedback window. */
export async function judgeExperiment(db: Pick<Db, 'pool'>, experiment: Experiment, asOf: Date): Promise<Judgement> {
  const cut = await readOutcomes(db, experiment, asOf, 0);
  const rule = ruleOf(experiment);
  const needed = [
    ...(rule.primary?.type === 'number' ? [rule.primary] : []),
    ...(rule.metrics ?? []).filter(({ name }) => rule.guardrails.some(({ metric }) => metric === name)),
  ];
  return judgeCut(
    experiment,
    cut,
    asOf,
    needed.length === 0 ? undefined : await readMeasured(db, experiment, asOf, 0, needed),
  );
}

/**
 * Judges a live experiment as the watch loop does, with bounds that hold however often one looks: an A/B test for harm
 * and guardrails, a bake for degradation.
 *
 * @param cut at T = `asOf`, no feedback window
 * @param measured what the primary metric and guardrails need beside it
 */
export function judgeCut(experiment: Experiment, cut: Cut, asOf: Date, measured?: MeasuredArms): Judgement {
  const secondArm = secondArmOf(experiment);
  const { champion, second, crossed } = cut;
  const rule = ruleOf(experiment);
  // What cannot stop anything is not counted every ten seconds, but at looks.
  const guardrails = rule.guardrails.filter(({ metric }) => metric !== 'slow_rate');
  const metrics = {
    ...(rule.primary && { primary: rule.primary }),
    ...(rule.metrics && { metrics: rule.metrics }),
    ...(measured && { measured }),
  };
  const { share, prior } = experiment;
  const maxDegradation = experiment.settings.promotion.max_degradation;
  const verdict =
    experiment.kind === 'ab'
      ? judgeHarm({ champion, challenger: second, share, prior, guardrails, ...metrics })
      : judgeBake({ champion, holdback: second, share, prior, maxDegradation, guardrails, ...metrics });
  const evidence = () => ({
    experiment: experiment.id,
    kind: experiment.kind,
    as_of: asOf.toISOString(),
    cut: cut.digest,
    ...countsOf(secondArm, champion, second),
    crossed,
    ...(rule.primary && { primary: rule.primary.name }),
    delta: verdict.delta,
    // Only the upper end is bounded: harm is shown when even the best case is bad.
    interval: [null, verdict.U],
    boundary: experiment.kind === 'ab' ? 0 : -maxDegradation,
    i0: verdict.initialInformation,
    guardrails: verdict.guardrails.map(guardrailFacts),
    reason: verdict.reason,
    summary: verdict.explanation,
  });
  const stop = verdict.reason !== null;
  return { stop, reason: verdict.reason, champion, second, evidence, summary: verdict.explanation };
}

function secondArmOf({ kind }: Experiment): 'challenger' | 'holdback' {
  return kind === 'ab' ? 'challenger' : 'holdback';
}

/** The counts of both arms as a route change shows them. */
export function countsOf(secondArm: string, champion: ArmSums, second: ArmSums): Record<string, unknown> {
  const both = (of: (arm: ArmSums) => number) => ({ champion: of(champion), [secondArm]: of(second) });
  return {
    n: both((arm) => arm.n),
    x: both((arm) => arm.x),
    subjects: both((arm) => arm.N),
    requests: both((arm) => arm.requests),
    errors: both((arm) => arm.errors),
  };
}

function guardrailFacts({ metric, limit, lower, upper, tripped, shown }: GuardrailResult): Record<string, unknown> {
  return { metric, limit, lower, upper, tripped, shown };
}
