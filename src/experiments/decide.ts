import { type ArmSums, checkArmSums, clusteredInterval, sampleRatioTest } from '../stats/index.js';
import { boundaryOf, type LookBoundary } from './boundary.js';
import { compareMetric, type MetricCount } from './compare-metric.js';
import { estimateAtEnd } from './estimate.js';
import { explainLook } from './explain-look.js';
import { judgeHarm } from './harm.js';
import type { ExperimentSettings, LookDecision, LookFigures, LookInput, WaitingFor } from './look.js';
import { metricFigures } from './metric-figures.js';
import { missingOutcomes, testPrimary } from './test-primary.js';

export type * from './look.js';

type Verdict = Pick<LookDecision, 'decision' | 'reason' | 'waitingFor' | 'tested'>;

/** More than this share of subjects in both arms: assignment is broken. */
const MAX_CROSSED_SHARE = 0.01;

/**
 * Decides an experiment at one look. The order is the contract: blocked, harm or guardrail, promotion, last look; what is
 * left keeps the champion and waits. A boundary that was crossed while something else forbade the promotion is not kept
 * for later: the next look has to cross its own.
 *
 * @throws RangeError for sums that contradict each other or settings that make no rule
 */
export function decideAtLook(input: LookInput): LookDecision {
  checkArmSums(input.champion);
  checkArmSums(input.challenger);
  if (!Number.isSafeInteger(input.crossed) || input.crossed < 0)
    throw new RangeError(`crossed subjects are a whole number >= 0, not ${input.crossed}`);
  const { boundary, ...figures } = measure(input);
  const verdict = judge(input, figures, boundary);
  // Of arms that are not what was ordered, nothing is estimated.
  const ended = verdict.decision !== 'wait' && verdict.reason !== 'blocked';
  const estimate = ended ? estimateAtEnd(input, figures) : null;
  return {
    ...figures,
    ...verdict,
    alphaSpent: verdict.tested ? boundary.alphaIfTested : boundary.alphaBefore,
    ...(estimate !== null && { estimate }),
    explanation: explainLook(input, figures, verdict),
  };
}

function measure(input: LookInput) {
  const { settings, champion, challenger, crossed, prior } = input;
  const { primary, metrics } = settings;
  const test = testPrimary(input, primary);
  const boundary = boundaryOf(input, test.information);
  const { c, maxInformation, tau } = boundary;
  const subjects = champion.O + challenger.O;
  return {
    ...test,
    boundary,
    c,
    interval: c === null ? null : clusteredInterval(test, c),
    maxInformation,
    tau,
    sampleRatio: sampleRatioTest([champion.O, challenger.O], [1 - settings.share, settings.share]),
    crossedShare: subjects === 0 ? 0 : crossed / subjects,
    ratings: missingOutcomes(input, primary, test),
    harm: judgeHarm({
      ...{ champion, challenger, share: settings.share, prior, guardrails: settings.guardrails },
      ...(primary && { primary }),
      ...(metrics && { metrics }),
      ...(input.measured && { measured: input.measured }),
    }),
    ...(metrics && { metrics: metricFigures(metrics, input.measured, settings.alpha) }),
  };
}

type Measured = Omit<ReturnType<typeof measure>, 'boundary'>;

function judge(input: LookInput, figures: Measured, boundary: LookBoundary): Verdict {
  const { last, settings } = input;
  if (figures.sampleRatio.mismatch || figures.crossedShare > MAX_CROSSED_SHARE)
    return last ? inconclusive('blocked') : wait('blocked');
  if (figures.harm.reason !== null) return reject(figures.harm.reason);
  const missing = unmetFloor(input);
  if (missing !== null) return last ? inconclusive('not_enough_data') : wait(missing);
  // All outcomes alike: there is no z. Another look may bring variation; at the last one only the interval is left.
  if (!figures.tested && !last) return wait('variation');
  const tested = figures.tested && boundary.newInformation;
  if (!tested && !last) return wait('information');
  if (tested && isBetter(figures, settings))
    return { decision: 'promote', reason: 'significant', waitingFor: null, tested };
  if (!boundary.final) return { ...wait('evidence'), tested };
  const noImprovement = figures.interval !== null && figures.interval.upper < settings.minEffect;
  return { ...(noImprovement ? reject('no_improvement') : inconclusive('max_duration')), tested };
}

/** The first floor that does not hold. A promotion or a verdict of "no better" needs them all. */
function unmetFloor(input: LookInput): WaitingFor | null {
  const { settings, startedAt, asOf, champion, challenger, measured } = input;
  if (asOf < startedAt + settings.minDurationMs) return 'min_duration';
  const subjects = Math.max(2, settings.minSubjectsPerArm);
  const reached = (arm: ArmSums) => arm.n >= settings.minSamplesPerArm && arm.N >= subjects;
  if (!reached(champion) || !reached(challenger)) return 'floors';
  // Of a composite the arms hold its first part only, and the others may be rarer.
  const counts = settings.primary?.type === 'number' && measured && compareMetric(measured, settings.primary)?.counts;
  if (!counts) return null;
  const least = (arm: MetricCount) => arm.n >= settings.minSamplesPerArm && arm.subjects >= subjects;
  return least(counts.champion) && least(counts.challenger) ? null : 'floors';
}

/** Significant, large enough to matter also with the missing ratings against it, and every guardrail shown. */
function isBetter(
  { z, c, delta, ratings, harm }: Pick<LookFigures, 'z' | 'c' | 'delta' | 'ratings' | 'harm'>,
  { minEffect }: Pick<ExperimentSettings, 'minEffect'>,
): boolean {
  const large = (difference: number | null) => difference !== null && difference >= minEffect;
  return (
    c !== null && z >= c && large(delta) && large(ratings.deltaImputed) && harm.guardrails.every(({ shown }) => shown)
  );
}

function wait(waitingFor: WaitingFor): Verdict {
  return { decision: 'wait', reason: null, waitingFor, tested: false };
}

function reject(reason: 'harm' | 'guardrail' | 'no_improvement'): Verdict {
  return { decision: 'reject', reason, waitingFor: null, tested: false };
}

function inconclusive(reason: 'max_duration' | 'not_enough_data' | 'blocked'): Verdict {
  return { decision: 'inconclusive', reason, waitingFor: null, tested: false };
}
