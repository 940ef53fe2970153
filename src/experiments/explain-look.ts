import type { LookDecision, LookFigures, LookInput } from './look.js';
import { MAX_EXPLANATION, percent, points, signed } from './wording.js';

/**
 * Why a look ended as it did, in plain words: counts, difference, interval, boundary. At most 200 characters, so that
 * it fits a workflow history and a table.
 */
export function explainLook(
  input: LookInput,
  figures: LookFigures,
  verdict: Pick<LookDecision, 'decision' | 'reason' | 'waitingFor'>,
): string {
  return `${headline(input, figures, verdict)} ${numbers(input, figures)}`.slice(0, MAX_EXPLANATION);
}

function headline(
  { settings, crossed }: LookInput,
  figures: LookFigures,
  { reason, waitingFor }: Pick<LookDecision, 'reason' | 'waitingFor'>,
): string {
  switch (reason ?? waitingFor) {
    case 'blocked':
      return `Blocked: split not as ordered (p ${tiny(figures.sampleRatio.p)}, ${crossed} in both arms).`;
    case 'harm':
      return `Harm: at best ${points(figures.harm.U)}.`;
    case 'guardrail': {
      const tripped = figures.harm.guardrails.find((result) => result.tripped);
      return `Guardrail ${tripped?.metric}: at least ${points(tripped?.lower ?? null)}.`;
    }
    case 'significant':
      return 'Better.';
    case 'no_improvement':
      return `The interval leaves no improvement of ${points(settings.minEffect)}.`;
    case 'max_duration':
      return `Undecided: ${whatWasMissing(figures, settings.minEffect)}.`;
    case 'not_enough_data':
    case 'floors':
      return `Too little: ${settings.minSamplesPerArm} outcomes, ${settings.minSubjectsPerArm} subjects an arm needed.`;
    case 'information':
      return 'Less than 1 % more information than at the last tested look.';
    case 'evidence':
      return `Goes on: ${whatWasMissing(figures, settings.minEffect)}.`;
    case 'min_duration':
      return 'Before the minimum duration.';
    default:
      return 'All outcomes alike so far.';
  }
}

/** The first condition of a promotion that failed, in the order in which they are asked. */
function whatWasMissing({ z, c, delta, ratings, harm }: LookFigures, minEffect: number): string {
  if (c === null || z < c || delta === null) return 'not significant';
  if (delta < minEffect) return `less than ${points(minEffect)}`;
  if (ratings.deltaImputed !== null && ratings.deltaImputed < minEffect)
    return `${points(ratings.deltaImputed)} with missing ratings`;
  const open = harm.guardrails.find(({ shown }) => !shown);
  return open ? `guardrail ${open.metric} not shown` : 'no rule applies';
}

function numbers({ champion, challenger, settings }: LookInput, figures: LookFigures): string {
  const { pChampion, pChallenger, delta, interval, z, c } = figures;
  const arms = `challenger ${percent(pChallenger)} of ${challenger.n}, champion ${percent(pChampion)} of ${champion.n}`;
  const bound = c === null ? 'cannot stop yet' : `boundary ${c.toFixed(2)}`;
  if (delta === null) return `${arms}; ${bound}`;
  if (interval === null) return `${arms}: ${points(delta)}, no interval yet, z ${z.toFixed(2)}, ${bound}`;
  const level = Number((100 * (1 - settings.alpha)).toPrecision(4));
  const range = `${signed(interval.lower)} to ${signed(interval.upper)}`;
  return `${arms}: ${points(delta)}, ${level}% interval ${range}, z ${z.toFixed(2)}, ${bound}`;
}

function tiny(p: number): string {
  return p < 0.001 ? p.toExponential(0) : p.toFixed(3);
}
