import type { Db } from '../db/index.js';
import type { ArmSums } from '../stats/index.js';
import { judgeBake } from './bake.js';
import { type Experiment, ruleOf } from './experiment.js';
import type { GuardrailResult } from './guardrails.js';
import { judgeHarm } from './harm.js';
import { type Cut, readArms } from './read-arms.js';

/** Where a live experiment stands, on the feedback received so far. */
export interface Judgement {
  /** Take the challenger off traffic, or undo the promotion, now. */
  stop: boolean;
  reason: 'harm' | 'guardrail' | 'bake_harm' | null;
  champion: ArmSums;
  second: ArmSums;
  /** What a route change made on it carries. */
  evidence: Record<string, unknown>;
  /** At most 200 characters. */
  summary: string;
}

/** `judgeCut` of an experiment at T = `asOf`, no feedback window. */
export async function judgeExperiment(db: Pick<Db, 'pool'>, experiment: Experiment, asOf: Date): Promise<Judgement> {
  const cut = await readArms(db, {
    experimentId: experiment.id,
    secondArm: secondArmOf(experiment),
    asOf,
    feedbackWindowMs: 0,
    minRating: experiment.settings.min_rating,
  });
  return judgeCut(experiment, cut, asOf);
}

/**
 * Judges a live experiment as the watch loop does, with bounds that hold however often one looks: an A/B test for harm
 * and guardrails, a bake for degradation.
 *
 * @param cut at T = `asOf`, no feedback window
 */
export function judgeCut(experiment: Experiment, cut: Cut, asOf: Date): Judgement {
  const secondArm = secondArmOf(experiment);
  const { champion, second, crossed, digest } = cut;
  const { guardrails } = ruleOf(experiment);
  const { share, prior } = experiment;
  const maxDegradation = experiment.settings.promotion.max_degradation;
  const verdict =
    experiment.kind === 'ab'
      ? judgeHarm({ champion, challenger: second, share, prior, guardrails })
      : judgeBake({ champion, holdback: second, share, prior, maxDegradation, guardrails });
  const evidence = {
    experiment: experiment.id,
    kind: experiment.kind,
    as_of: asOf.toISOString(),
    cut: digest,
    ...countsOf(secondArm, champion, second),
    crossed,
    delta: verdict.delta,
    // Only the upper end is bounded: harm is shown when even the best case is bad.
    interval: [null, verdict.U],
    boundary: experiment.kind === 'ab' ? 0 : -maxDegradation,
    i0: verdict.initialInformation,
    guardrails: verdict.guardrails.map(guardrailFacts),
    reason: verdict.reason,
    summary: verdict.explanation,
  };
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
