import { type ExperimentSettings, settingsOf } from '../../src/experiments/index.js';
import { parsePolicy } from '../../src/policy/index.js';
import type { Bench } from '../harness/index.js';
import {
  asked,
  confidenceSequence,
  daily,
  decided,
  type Ending,
  everySixHours,
  naive,
  relative,
  sixHourly,
} from './rules.js';
import { HOURS, type Simulated, simulator, WORLD } from './traffic.js';

const policy = parsePolicy({
  ...{ name: 'bench', base_model: 'none', upstream: { base_url: 'http://127.0.0.1:9', model: 'none' } },
});
const settings = settingsOf(policy.experiment);
const feedbackHours = policy.experiment.feedback_window / 3_600_000;
const atTheEnd: ExperimentSettings = { ...settings, test: 'fixed' };

const RULES = {
  understudy: (experiment: Simulated) => decided(experiment, settings, feedbackHours),
  /** One look at max_duration, all of alpha, the same side conditions. */
  'fixed-at-the-end': (experiment: Simulated) => decided(experiment, atTheEnd, feedbackHours, [HOURS]),
  'naive-z': (experiment: Simulated) => asked(experiment, naive, daily),
  'five-percent': (experiment: Simulated) => asked(experiment, relative, daily),
  'six-hourly-z': (experiment: Simulated) => asked(experiment, sixHourly, everySixHours),
  'growthbook-sequential': (experiment: Simulated) => asked(experiment, confidenceSequence, daily),
} satisfies Record<string, (experiment: Simulated) => Ending>;
type Name = keyof typeof RULES;
const NAMES = Object.keys(RULES) as Name[];

const VERSIONS: Record<Exclude<Name, 'understudy'>, string> = {
  'fixed-at-the-end': 'this product, test: fixed, one look at max_duration',
  'naive-z': 'two-proportion z >= 1.96 at each daily look',
  'five-percent': 'more than 5 % better after 48 h and 100 samples',
  'six-hourly-z': 'z >= 1.96 every 6 h from 24 h, n >= 1000 and >= 2 pp',
  'growthbook-sequential': 'published formula, alpha 0.05, tuning 5000',
};

export const bench: Bench = {
  summary: 'how often identical challengers are promoted, and better ones, and how soon: simulated experiments',
  run: async (context) => {
    const count = context.quick ? 500 : 20_000;
    const started = performance.now();
    const same = run(0, count, (done) => context.show(`identical: ${done} of ${count}`));
    const better = run(policy.experiment.target_effect, count, (done) => context.show(`better: ${done} of ${count}`));
    const wall_s = (performance.now() - started) / 1000;
    for (const name of NAMES)
      context.say(
        `  ${name.padEnd(22)} promotes ${percent(same[name].promoted)} of identical, ${percent(better[name].promoted)} of +${100 * policy.experiment.target_effect} pp, after ${better[name].hours.toFixed(0)} h`,
      );
    const ours = { same: same.understudy, better: better.understudy };
    const end = better['fixed-at-the-end'];
    const peers = NAMES.filter((name) => name !== 'understudy');
    return {
      figures: {
        false_promotion: ours.same.promoted,
        power: ours.better.promoted,
        power_ratio: ours.better.promoted / end.promoted,
        duration_ratio: ours.better.hours / HOURS,
        hours_better: ours.better.hours,
        hours_identical: ours.same.hours,
        experiments: count,
        interactions_per_hour: WORLD.interactionsPerHour,
        wall_s,
      },
      ratios: Object.fromEntries(peers.map((name) => [name, same[name].promoted / ours.same.promoted])),
      peers: Object.fromEntries(peers.map((name) => [name, { version: VERSIONS[name], figure: same[name].promoted }])),
      runs: 1,
      samples: Object.fromEntries(
        NAMES.map((name) => [
          name,
          [
            {
              false_promotion: same[name].promoted,
              power: better[name].promoted,
              hours_better: better[name].hours,
              hours_identical: same[name].hours,
            },
          ],
        ]),
      ),
    };
  },
};

/** Every rule on the same experiments: the share it promotes, and the hours it takes on average. */
function run(
  effect: number,
  count: number,
  onProgress: (done: number) => void,
): Record<Name, { promoted: number; hours: number }> {
  const simulate = simulator(effect);
  const sums = Object.fromEntries(NAMES.map((name) => [name, { promoted: 0, hours: 0 }])) as Record<
    Name,
    { promoted: number; hours: number }
  >;
  for (let seed = 1; seed <= count; seed++) {
    const experiment = simulate(effect === 0 ? seed : -seed);
    for (const name of NAMES) {
      const ending = RULES[name](experiment);
      if (ending.promoted) sums[name].promoted += 1 / count;
      sums[name].hours += ending.hours / count;
    }
    if (seed % 100 === 0) onProgress(seed);
  }
  return sums;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1).padStart(5)} %`;
}
