import type { LookDecision, LookFigures, LookInput } from './look.js';
import { effect, level, MAX_EXPLANATION } from './wording.js';

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
      return `Harm: at best ${effect(figures.harm.U, settings.primary)}.`;
    case 'guardrail': {
      const tripped = figures.harm.guardrails.find((result) => result.tripped);
      const unit = settings.metrics?.find(({ name }) => name === tripped?.metric);
      return `Guardrail ${tripped?.metric}: at least ${effect(tripped?.lower ?? null, unit && { ...unit, better: 'higher' })}.`;
    }
    case 'significant':
      return 'Better.';
    case 'no_improvement':
      return `The interval leaves no improvement of ${effect(settings.minEffect, settings.primary)}.`;
    case 'max_duration':
      return `Undecided: ${whatWasMissing(figures, settings)}.`;
    case 'not_enough_data':
    case 'floors':
      return `Too little: ${settings.minSamplesPerArm} outcomes, ${settings.minSubjectsPerArm} subjects an arm needed.`;
    case 'information':
      return 'Less than 1 % more information than at the last tested look.';
    case 'evidence':
      return `Goes on: ${whatWasMissing(figures, settings)}.`;
    case 'min_duration':
      return 'Before the minimum duration.';
    default:
      return 'All outcomes alike so far.';
  }
}

/** The first condition of a promotion that failed, in the order in which they are asked. */
function whatWasMissing(
  { z, c, delta, ratings, harm }: LookFigures,
  { minEffect, primary }: LookInput['settings'],
): string {
  if (c === null || z < c || delta === null) return 'not significant';
  if (delta < minEffect) return `less than ${effect(minEffect, primary)}`;
  if (ratings.deltaImputed === null) return 'measured unequally often, of no known range';
  if (ratings.deltaImputed < minEffect) return `${effect(ratings.deltaImputed, primary)} with missing ratings`;
  const open = harm.guardrails.find(({ shown }) => !shown);
  return open ? `guardrail ${open.metric} not shown` : 'no rule applies';
}

function numbers({ champion, challenger, settings }: LookInput, figures: LookFigures): string {
  const { pChampion, pChallenger, delta, interval, z, c } = figures;
  const { primary, alpha } = settings;
  const named =
    primary === undefined ? '' : `${primary.name}${primary.better === 'lower' ? ' (less is better)' : ''}: `;
  const arms = `${named}challenger ${level(pChallenger, primary)} of ${challenger.n}, champion ${level(pChampion, primary)} of ${champion.n}`;
  const bound = c === null ? 'cannot stop yet' : `boundary ${c.toFixed(2)}`;
  if (delta === null) return `${arms}; ${bound}`;
  const change = effect(delta, primary);
  if (interval === null) return `${arms}: ${change}, no interval yet, z ${z.toFixed(2)}, ${bound}`;
  const confidence = Number((100 * (1 - alpha)).toPrecision(4));
  const [from, to] = primary?.better === 'lower' ? [interval.upper, interval.lower] : [interval.lower, interval.upper];
  const range = `${effect(from, primary, false)} to ${effect(to, primary, false)}`;
  return `${arms}: ${change}, ${confidence}% interval ${range}, z ${z.toFixed(2)}, ${bound}`;
}

function tiny(p: number): string {
  return p < 0.001 ? p.toExponential(0) : p.toFixed(3);
}
