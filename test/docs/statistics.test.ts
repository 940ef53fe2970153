import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decideAtLook, type LookDecision, type PastLook } from '../../src/experiments/decide.js';
import { settingsOf } from '../../src/experiments/experiment.js';
import { parsePolicy } from '../../src/policy/index.js';

const source = readFileSync('docs/statistics.md', 'utf8');
const example = /### Worked example\n([\s\S]*?)\n## /.exec(source)![1]!;
const rows = example
  .split('\n')
  .filter((line) => /^\| \d/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const HOUR = 3_600_000;
const policy = parsePolicy({
  ...{ name: 'm', base_model: 'b', upstream: { base_url: 'http://127.0.0.1:9', model: 'b' } },
  experiment: { min_samples_per_arm: 200 },
});

const number = (text: string) => Number(text.replaceAll(',', ''));
/** Everybody rates once. */
function arm(cell: string) {
  const [x, n] = cell.split(' of ').map(number) as [number, number];
  return { O: n, S: n, N: n, E: n, n, x, m2: n, x2: x, xm: x, e2: n, em: n, requests: n, errors: 0 };
}

function decisions(): LookDecision[] {
  const past: PastLook[] = [];
  return rows.map(([k, hours, champion, challenger]) => {
    const look = decideAtLook({
      ...{ settings: settingsOf(policy.experiment), startedAt: 0, asOf: number(hours!) * HOUR, last: hours === '120' },
      ...{
        champion: arm(champion!),
        challenger: arm(challenger!),
        crossed: 0,
        prior: { p0: 0.8, D0: 1 },
        past: [...past],
      },
    });
    const { information, tau, z, c, alphaSpent } = look;
    past.push({ k: number(k!), information: information!, tau: tau!, z, c, alphaSpent });
    return look;
  });
}

const points = (share: number) => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;

describe('docs/statistics.md', () => {
  it('shows looks as they are decided, number by number', () => {
    expect(rows.length).toBeGreaterThan(2);
    decisions().forEach((look, i) => {
      const { information, tau, alphaSpent, z, c, interval, decision } = look;
      const shown = [
        ...[information!.toFixed(1), tau!.toFixed(3), alphaSpent.toFixed(5), z.toFixed(3), c!.toFixed(3)],
        ...[`${points(interval!.lower)} to ${points(interval!.upper)}`, decision],
      ];
      expect(rows[i]!.slice(4)).toEqual(shown);
    });
  });

  it('shows the corrected effect and the sentence of the last of them', () => {
    const last = decisions().at(-1)!;
    const { median, interval } = last.estimate!;
    expect(example).toContain(`${points(median)} points (${points(interval.lower)} to ${points(interval.upper)})`);
    expect(example).toContain(`${points(last.delta!)} points as measured`);
    expect(example.replaceAll(/\s+/g, ' ')).toContain(last.explanation);
    expect(source).toContain(last.maxInformation.toFixed(2));
  });
});
