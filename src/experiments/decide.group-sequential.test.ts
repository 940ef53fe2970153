import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArmSums, alphaSpentAt, crossingProbabilities, normalIsf } from '../stats/index.js';
import { decideAtLook, type ExperimentSettings, type LookDecision, type LookInput, type PastLook } from './decide.js';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 1);
/** The default policy. */
const settings: ExperimentSettings = {
  ...{ test: 'group_sequential', alpha: 0.05, power: 0.8, minEffect: 0.02, targetEffect: 0.05, share: 0.1 },
  ...{ minSamplesPerArm: 100, minSubjectsPerArm: 50, guardrails: [{ metric: 'error_rate', margin: 0.01 }] },
  ...{ minDurationMs: 48 * HOUR, maxDurationMs: 120 * HOUR, lookEveryMs: 24 * HOUR },
};

function arm(n: number, x: number, more: Partial<ArmSums> = {}): ArmSums {
  return {
    ...{ O: n, S: n, N: n, E: n, n, x, m2: n, x2: x, xm: x, e2: n, em: n, requests: 10 * n, errors: 0 },
    ...more,
  };
}

/** A look after `hours` at a champion of 80 % and a challenger with `x` of `n`, its ninth part of the traffic. */
function at(hours: number, n: number, x: number, past: PastLook[], more: Partial<LookInput> = {}): LookInput {
  return {
    ...{ settings, startedAt: START, asOf: START + hours * HOUR, last: hours >= 120, crossed: 0, past },
    ...{ champion: arm(9 * n, Math.round(7.2 * n)), challenger: arm(n, x), prior: { p0: 0.8, D0: 1 }, ...more },
  };
}

const pastOf = (k: number, { information, tau, z, c, alphaSpent }: LookDecision): PastLook => ({
  ...{ k, information: information as number, tau: tau as number, z, c, alphaSpent },
});

/** Looks of rising size, each a day later, none of which is good enough to stop. */
function walk(sizes: number[], excess = 0.03): { looks: LookDecision[]; past: PastLook[] } {
  const past: PastLook[] = [];
  const looks = sizes.map((n, i) => {
    const look = decideAtLook(at(48 + 24 * i, n, Math.round((0.8 + excess) * n), [...past]));
    if (look.tested) past.push(pastOf(i + 1, look));
    return look;
  });
  return { looks, past };
}

describe('group-sequential looks', () => {
  test('each look has a boundary of its own, which falls, and spends its part of alpha', () => {
    const { looks } = walk([150, 230, 310], 0.01);
    for (const look of looks) expect(look).toMatchObject({ decision: 'wait', waitingFor: 'evidence', tested: true });
    const [first, second, third] = looks as [LookDecision, LookDecision, LookDecision];
    expect(first.maxInformation).toBeCloseTo(3217.16, 1);
    expect(first.c as number).toBeGreaterThan(second.c as number);
    expect(second.c as number).toBeGreaterThan(third.c as number);
    for (const look of looks) {
      expect(look.tau).toBeCloseTo((look.information as number) / look.maxInformation, 12);
      expect(look.alphaSpent).toBeCloseTo(alphaSpentAt(look.tau as number, 0.025), 15);
    }
    const crossing = crossingProbabilities(
      looks.map(({ information, c }) => ({ information: information as number, upper: c as number })),
      0,
    );
    expect(crossing.everUpper).toBeCloseTo(third.alphaSpent, 9);
    expect(first.estimate).toBeUndefined();
    expect(first.explanation).toMatch(/^Goes on: not significant\..* z \d\.\d+, boundary \d\.\d\d$/);
  });

  test('the first look promotes only what passes its high boundary', () => {
    const big = decideAtLook(at(48, 300, 282, []));
    expect(big.c as number).toBeGreaterThan(2.5);
    expect(big).toMatchObject({ decision: 'promote', reason: 'significant', tested: true });
    expect(decideAtLook(at(48, 300, 255, [])).z).toBeGreaterThan(1.9);
    expect(decideAtLook(at(48, 300, 255, []))).toMatchObject({ decision: 'wait', waitingFor: 'evidence' });
  });

  test('at max_duration all alpha that is left is spent, whatever the information', () => {
    const { past } = walk([150, 230], 0.01);
    const look = decideAtLook(at(120, 260, 212, past));
    expect(look.information as number).toBeLessThan(look.maxInformation);
    expect(look).toMatchObject({ tau: 1, alphaSpent: 0.025, tested: true, decision: 'inconclusive' });
    expect(decideAtLook(at(120, 260, 212, [])).c).toBeCloseTo(normalIsf(0.025), 9);
  });

  test('more information than planned makes any look the last one', () => {
    const look = decideAtLook(at(48, 1000, 822, []));
    expect(look).toMatchObject({ tau: 1, alphaSpent: 0.025, decision: 'inconclusive', reason: 'max_duration' });
    expect(look.c).toBeCloseTo(normalIsf(0.025), 9);
    expect(decideAtLook(at(48, 9000, 7_200, []))).toMatchObject({ decision: 'reject', reason: 'no_improvement' });
  });

  test('a boundary above 8 is stored as none: the look cannot stop, and is in the recursion', () => {
    const few = { ...settings, minSamplesPerArm: 10, minSubjectsPerArm: 10 };
    const look = decideAtLook(at(48, 20, 20, [], { settings: few }));
    expect(look).toMatchObject({ c: null, interval: null, tested: true, decision: 'wait' });
    expect(look.explanation).toMatch(/no interval yet, z \d\.\d\d, cannot stop yet$/);
    expect(JSON.parse(JSON.stringify(look)).c).toBeNull();
    const next = decideAtLook(at(72, 150, 122, [pastOf(1, look)], { settings: few }));
    expect(next.c as number).toBeGreaterThan(2);
  });

  test.each([
    ['blocked', { crossed: 500 }],
    ['floors', { settings: { ...settings, minSamplesPerArm: 5_000 } }],
    ['min_duration', { asOf: START + HOUR }],
  ])('a look that waits for %s spends nothing and shows the boundary it would have had', (waitingFor, more) => {
    const { past } = walk([150], 0.01);
    const look = decideAtLook(at(72, 230, 190, past, more));
    expect(look).toMatchObject({ decision: 'wait', waitingFor, tested: false, alphaSpent: past[0]!.alphaSpent });
    expect(look.c).toBe(decideAtLook(at(72, 230, 190, past)).c);
  });

  test('a look with less than 1 % more information is recorded and not tested', () => {
    const { past } = walk([150], 0.01);
    const look = decideAtLook(at(72, 151, 123, past));
    expect(look).toMatchObject({ decision: 'wait', waitingFor: 'information', tested: false, c: past[0]!.c });
    expect(look.alphaSpent).toBe(past[0]!.alphaSpent);
    expect(decideAtLook(at(72, 152, 124, past)).tested).toBe(true);
  });

  test('without new information at max_duration the last boundary judges what is left', () => {
    const { past } = walk([150, 230], 0.01);
    const look = decideAtLook(at(120, 230, 186, past));
    expect(look).toMatchObject({ decision: 'inconclusive', reason: 'max_duration', tested: false, c: past[1]!.c });
    expect(look.estimate).toBeDefined();
    // However good it looks by then: nothing new has come in to test.
    const better = decideAtLook(at(120, 231, 222, past));
    expect(better.tested).toBe(better.decision === 'promote');
  });

  test('a crossing that a guardrail forbids is not kept for later', () => {
    const unsafe = arm(300, 282, { requests: 3_000, errors: 25 });
    const refused = decideAtLook(at(48, 300, 282, [], { challenger: unsafe }));
    expect(refused.z).toBeGreaterThan(refused.c as number);
    expect(refused).toMatchObject({ decision: 'wait', waitingFor: 'evidence', tested: true });
    expect(refused.explanation).toMatch(/^Goes on: guardrail error_rate not shown\./);
    const next = decideAtLook(at(72, 500, 405, [pastOf(1, refused)]));
    expect(next).toMatchObject({ decision: 'wait' });
  });

  test('no data at all, and outcomes all alike, end as under the fixed rule', () => {
    expect(decideAtLook(at(120, 0, 0, []))).toMatchObject({ decision: 'inconclusive', reason: 'not_enough_data' });
    const alike = at(120, 1000, 1000, [], { champion: arm(9000, 9000) });
    expect(decideAtLook(alike)).toMatchObject({ decision: 'reject', reason: 'no_improvement', tested: false });
    expect(decideAtLook({ ...alike, asOf: START + 48 * HOUR, last: false })).toMatchObject({ waitingFor: 'variation' });
  });

  test('the end shows an estimate corrected for the looks: smaller than measured after an early stop', () => {
    const { past } = walk([150], 0.02);
    const look = decideAtLook(at(72, 260, 247, past));
    expect(look.decision).toBe('promote');
    const { median, interval } = look.estimate!;
    expect(median).toBeLessThan(look.delta as number);
    expect(interval.lower).toBeGreaterThan(0);
    expect(interval.lower).toBeLessThan(median);
    expect(interval.upper).toBeGreaterThan(median);
  });
});

test('arms and signs swapped: z and the interval change sign, boundary and information do not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 900 }), fc.integer({ min: 60, max: 95 }), (n, percent) => {
      const even = { ...settings, share: 0.5, guardrails: [] };
      const [a, b] = [arm(n, Math.round(0.8 * n)), arm(n, Math.round((percent / 100) * n))];
      const one = decideAtLook(at(48, n, 0, [], { settings: even, champion: a, challenger: b }));
      const other = decideAtLook(at(48, n, 0, [], { settings: even, champion: b, challenger: a }));
      expect(other.z).toBeCloseTo(-one.z, 12);
      expect(other.c).toBe(one.c);
      expect(other.information).toBe(one.information);
      if (one.interval !== null) expect(other.interval!.upper).toBeCloseTo(-one.interval.lower, 12);
      expect([one.decision, other.decision].filter((decision) => decision === 'promote').length).toBeLessThan(2);
    }),
    { numRuns: 200, seed: 5 },
  );
});

test('whatever the path: no promotion below a boundary or a floor, alpha never above its half, and an end', () => {
  const seen = new Set<string>();
  const path = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 70, max: 98 })), {
    ...{ minLength: 4, maxLength: 4 },
  });
  fc.assert(
    fc.property(path, (steps) => {
      const past: PastLook[] = [];
      let [n, x] = [0, 0];
      for (const [i, [more, percent]] of steps.entries()) {
        n += more;
        x += Math.round((percent / 100) * more);
        const look = decideAtLook(at(48 + 24 * i, n, x, [...past]));
        seen.add(`${look.decision} ${look.reason ?? look.waitingFor}`);
        expect(look.alphaSpent).toBeLessThanOrEqual(0.025);
        expect(look.alphaSpent).toBeGreaterThanOrEqual(past.at(-1)?.alphaSpent ?? 0);
        expect(look.explanation.length).toBeLessThanOrEqual(200);
        if (look.decision === 'promote') {
          expect(look.c).not.toBeNull();
          expect(look.z).toBeGreaterThanOrEqual(look.c as number);
          expect(look.delta as number).toBeGreaterThanOrEqual(0.02);
        }
        if (n < 100) expect(look.tested).toBe(false);
        if (i === 3) expect(look.decision).not.toBe('wait');
        if (look.tested) past.push(pastOf(i + 1, look));
        if (look.decision !== 'wait') break;
      }
    }),
    { numRuns: 400, seed: 3 },
  );
  for (const kind of ['promote significant', 'wait evidence', 'wait floors', 'inconclusive max_duration'])
    expect(seen).toContain(kind);
});
