import type { Db } from '../db/index.js';
import { formatDuration, type Policy } from '../policy/index.js';
import { type ExperimentPlan, type PlanInput, planExperiment } from '../stats/index.js';
import { fractionsOf } from './boundary.js';
import { settingsOf } from './experiment.js';
import { type MetricRule, ruleOfPrimary } from './metric-rules.js';
import { type RecentTraffic, readRecentTraffic } from './recent-traffic.js';
import { slowLimitsOfMetrics } from './slow-requests.js';
import { effect, MAX_EXPLANATION, percent } from './wording.js';

/** What finding one effect with one power takes at the present traffic, however long that is. */
export interface PlannedEffect {
  /** absolute */
  effect: number;
  power: number;
  /** infinite where all outcomes are alike */
  days: number;
  /** of both arms, with and without an outcome */
  interactions: number;
}

export interface TrafficPlan {
  model: string;
  test: Policy['experiment']['test'];
  share: number;
  maxDays: number;
  targetEffect: number;
  power: number;
  /** The metric that decides; left out for positive feedback. */
  primary?: MetricRule;
  traffic: RecentTraffic;
  /** null without outcomes of at least two subjects */
  plan: ExperimentPlan | null;
  effects: PlannedEffect[];
  /** why the experiment cannot finish, at most 200 characters; null when it can */
  warning: string | null;
}

const DAY = 86_400_000;
const POWERS = [0.8, 0.9];

/** What an experiment under this policy can be expected to do with the traffic that the model has had lately. */
export async function planFromTraffic(db: Pick<Db, 'pool'>, policy: Policy, asOf: Date): Promise<TrafficPlan> {
  const { name: model, experiment, curation } = policy;
  const { test, share, max_duration, feedback_window, target_effect: targetEffect, power } = experiment;
  const settings = {
    experiment,
    min_rating: curation.min_rating,
    slow_limits_ms: await slowLimitsOfMetrics(db, policy, null, asOf),
  };
  const traffic = await readRecentTraffic(db, {
    ...{ model, asOf, settings },
    // The last look does not see what was asked within the feedback window.
    ...{ spanMs: max_duration - feedback_window, feedbackWindowMs: feedback_window },
  });
  const primary = ruleOfPrimary(experiment);
  const facts = {
    ...{ model, test, share, maxDays: max_duration / DAY, targetEffect, power, traffic },
    ...(primary && { primary }),
  };
  const input = inputOf(policy, traffic);
  if (input === null) {
    const span = formatDuration(max_duration - feedback_window);
    const warning = `The experiment cannot finish: in the last ${span} there were ${traffic.outcomes} ${primary ? `measurements of ${primary.name}` : 'ratings'} of ${traffic.subjects} subjects.`;
    return { ...facts, plan: null, effects: [], warning };
  }
  const plan = planExperiment(input);
  return { ...facts, plan, effects: effectsOf(input, traffic), warning: plan.finishes ? null : warn(facts, plan) };
}

function inputOf(policy: Policy, traffic: RecentTraffic): PlanInput | null {
  const { experiment } = policy;
  const { positive, design, variance, subjects, outcomes, days } = traffic;
  if (positive === null || (design === null && variance === null)) return null;
  const { max_duration, feedback_window } = experiment;
  const settings = settingsOf(experiment);
  // As many as there would have been by the last look, had the traffic been there all the time.
  const atEnd = (count: number) => (count / days) * ((max_duration - feedback_window) / DAY);
  return {
    ...settings,
    fractions: fractionsOf(settings),
    maxDays: max_duration / DAY,
    traffic: {
      outcomesPerDay: atEnd(outcomes) / (max_duration / DAY),
      subjects,
      ...(variance === null ? { positive, design: design as number } : { positive: 0.5, design: 1, variance }),
    },
  };
}

/** Days and interactions for effects around the target, as long as they exceed the least one worth a promotion. */
function effectsOf(input: PlanInput, { ratingRate }: RecentTraffic): PlannedEffect[] {
  const { targetEffect: target, minEffect } = input;
  const effects = [target / 2, target, 1.5 * target, 2 * target].filter(
    (effect) => effect > minEffect && (effect < 1 || input.traffic.variance !== undefined),
  );
  const powers = [...new Set([input.power, ...POWERS])].sort();
  return effects.flatMap((effect) =>
    powers.map((power) => {
      const { daysToMaxInformation: days, outcomes } = planExperiment({ ...input, targetEffect: effect, power });
      const interactions = Math.ceil((outcomes.champion + outcomes.challenger) / (ratingRate as number));
      return { effect, power, days, interactions };
    }),
  );
}

function warn(
  { share, maxDays, targetEffect, primary }: Omit<TrafficPlan, 'plan' | 'effects' | 'warning'>,
  plan: ExperimentPlan,
) {
  const { daysToMaxInformation, daysToFloors, shareToFinish, power } = plan;
  const needed = Math.max(daysToMaxInformation, daysToFloors);
  const cure =
    shareToFinish !== null && shareToFinish > share
      ? `share ${(Math.ceil(shareToFinish * 100) / 100).toFixed(2)} would do`
      : `needs ${daysToFloors > daysToMaxInformation ? 'more rated subjects' : 'a longer max_duration'}`;
  return `The experiment cannot finish in ${days(maxDays)}: at this traffic it takes ${days(needed)}; ${cure}. Power ${percent(power)} at ${effect(targetEffect, primary)}.`.slice(
    0,
    MAX_EXPLANATION,
  );
}

function days(count: number): string {
  return Number.isFinite(count) ? `${count < 10 ? count.toFixed(1) : Math.round(count)} days` : 'for ever';
}
