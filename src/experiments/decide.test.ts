import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ArmSums } from '../stats/index.js';
import { sumArm } from '../stats/index.js';
import { decideAtLook, type ExperimentSettings, type LookInput } from './decide.js';
import { isLastLook, lookTimes } from './look-times.js';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 1);

const settings: ExperimentSettings = {
  test: 'fixed',
  alpha: 0.05,
  power: 0.8,
  minEffect: 0.02,
  targetEffect: 0.05,
  share: 0.1,
  minSamplesPerArm: 1000,
  minSubjectsPerArm: 100,
  guardrails: [{ metric: 'error_rate', margin: 0.01 }],
  minDurationMs: 48 * HOUR,
  maxDurationMs: 120 * HOUR,
  lookEveryMs: 24 * HOUR,
};

/** One interaction a subject, all rated unless `unrated` says otherwise. */
function arm(n: number, x: number, more: Partial<ArmSums> & { unrated?: number } = {}): ArmSums {
  const { unrated = 0, ...rest } = more;
  const E = n + unrated;
  return {
    ...{ O: E, S: E, N: n, E, n, x, m2: n, x2: x, xm: x, e2: E, em: n, requests: E, errors: 0 },
    ...rest,
  };
}

const better: LookInput = {
  settings,
  startedAt: START,
  asOf: START + 48 * HOUR,
  last: false,
  champion: arm(9000, 7200),
  challenger: arm(1000, 870),
  crossed: 0,
  prior: { p0: 0.8, D0: 1 },
};
const atTheEnd = { asOf: START + 120 * HOUR, last: true };

const decided = (change: Partial<LookInput> = {}) => {
  const { decision, reason, waitingFor, tested } = decideAtLook({ ...better, ...change });
  return { decision, reason, waitingFor, tested };
};
const waits = (waitingFor: string) => ({ decision: 'wait', reason: null, waitingFor, tested: false });

test('a better challenger is promoted at the first look, and the row says why', () => {
  const look = decideAtLook(better);
  expect(look).toMatchObject({ decision: 'promote', reason: 'significant', waitingFor: null, tested: true });
  expect(look.delta).toBeCloseTo(0.07, 12);
  const pooled = 8070 / 10_000;
  const information = 1 / (pooled * (1 - pooled) * (1 / 9000 + 1 / 1000));
  expect(look.information).toBeCloseTo(information, 6);
  expect(look.z).toBeCloseTo(0.07 * Math.sqrt(information), 10);
  expect(look.c).toBeCloseTo(1.959963984540054, 12);
  const half = (look.c as number) * Math.sqrt((0.8 * 0.2) / 9000 + (0.87 * 0.13) / 1000);
  expect(look.interval?.lower).toBeCloseTo(0.07 - half, 10);
  expect(look.interval?.upper).toBeCloseTo(0.07 + half, 10);
  expect(look.maxInformation).toBeCloseTo(3139.55, 2);
  expect(look.tau).toBe(1);
  expect(look.alphaSpent).toBe(0.025);
  expect(look.harm.initialInformation).toBeCloseTo(1 / (0.16 * (0.01 + 1 / 900)), 9);
  expect(look.sampleRatio.p).toBe(1);
  expect(look.ratings.deltaImputed).toBe(look.delta);
  expect(look.explanation).toBe(
    'Better. challenger 87.0% of 1000, champion 80.0% of 9000: +7.0 pp, 95% interval +4.8 to +9.2, z 5.32, boundary 1.96',
  );
});

test('the share of the planned information is shown, and counts as whole at the last look', () => {
  const small = { ...better, champion: arm(4500, 3600), challenger: arm(500, 430) };
  const look = decideAtLook(small);
  expect(look.tau).toBeCloseTo((look.information as number) / look.maxInformation, 12);
  expect(look.tau as number).toBeLessThan(1);
  expect(decideAtLook({ ...small, ...atTheEnd }).tau).toBe(1);
});

describe('the order of the decision', () => {
  test('1: a wrong split blocks everything, also harm, and ends inconclusive at the last look', () => {
    const challenger = arm(1000, 100, { O: 1200 });
    expect(decided({ challenger })).toEqual(waits('blocked'));
    expect(decided({ challenger, ...atTheEnd })).toMatchObject({ decision: 'inconclusive', reason: 'blocked' });
    expect(decideAtLook({ ...better, challenger }).explanation).toMatch(
      /^Blocked: split not as ordered \(p 3e-9, 0 in/,
    );
  });

  test('1: more than one subject in a hundred in both arms blocks, exactly one in a hundred does not', () => {
    expect(decided({ crossed: 101 })).toEqual(waits('blocked'));
    expect(decided({ crossed: 100 })).toMatchObject({ decision: 'promote' });
  });

  test('2: harm rejects before any floor or time is asked for', () => {
    const harmful = { champion: arm(1350, 1300), challenger: arm(150, 20) };
    const rejected = { decision: 'reject', reason: 'harm', waitingFor: null, tested: false };
    expect(decided(harmful)).toEqual(rejected);
    expect(decided({ ...harmful, asOf: START + HOUR })).toEqual(rejected);
    expect(decideAtLook({ ...better, ...harmful }).alphaSpent).toBe(0);
  });

  test('2: a tripped guardrail rejects even a challenger whose answers are better', () => {
    const challenger = arm(1000, 870, { errors: 90 });
    expect(decided({ challenger })).toMatchObject({ decision: 'reject', reason: 'guardrail', tested: false });
    expect(decideAtLook({ ...better, challenger }).explanation).toMatch(
      /^Guardrail error_rate: at least \+[\d.]+ pp\. chal/,
    );
  });

  test('3: floors come before the test', () => {
    for (const short of [
      { champion: arm(8991, 7200), challenger: arm(999, 870) },
      { champion: arm(999, 800), challenger: arm(1000, 900), settings: { ...settings, share: 0.5 } },
      { challenger: { ...arm(1000, 870), N: 99 } },
    ]) {
      expect(decided(short)).toEqual(waits('floors'));
      expect(decided({ ...short, ...atTheEnd })).toMatchObject({ decision: 'inconclusive', reason: 'not_enough_data' });
    }
    expect(decided({ asOf: START + 48 * HOUR - 1 })).toEqual(waits('min_duration'));
  });

  test('3: significance is not enough when the difference is smaller than the least worth having', () => {
    const input = { champion: arm(900_000, 720_000), challenger: arm(100_000, 81_900) };
    const look = decideAtLook({ ...better, ...input });
    expect(look.z).toBeGreaterThan(look.c as number);
    expect(look).toMatchObject({ decision: 'inconclusive', reason: 'max_duration', tested: true });
    expect(look.explanation).toMatch(/^Undecided: less than \+2\.0 pp\./);
  });

  test('3: a difference of exactly the least effect is enough', () => {
    const input = { champion: arm(90_000, 72_000), challenger: arm(10_000, 8_200) };
    expect(decided(input)).toMatchObject({ decision: 'promote' });
  });

  test('3: a size worth having is not enough without significance', () => {
    const look = decideAtLook({ ...better, challenger: arm(1000, 822) });
    expect(look).toMatchObject({ decision: 'inconclusive', reason: 'max_duration', tested: true, alphaSpent: 0.025 });
    expect(look.explanation).toMatch(/^Undecided: not significant\./);
  });

  test('3: missing ratings that could undo the difference prevent a promotion, and never block', () => {
    const input = {
      champion: arm(9000, 7200, { unrated: 9000 }),
      challenger: arm(1000, 870, { unrated: 1300, O: 2000 }),
    };
    const look = decideAtLook({ ...better, ...input });
    expect(look.ratings.imbalanced).toBe(true);
    expect(look.delta as number).toBeGreaterThan(0.02);
    expect(look.ratings.deltaImputed as number).toBeLessThan(0.02);
    expect(look).toMatchObject({ decision: 'inconclusive', reason: 'max_duration' });
    expect(look.explanation).toMatch(/^Undecided: -?\+?[\d.-]+ pp with missing ratings\./);
  });

  test('3: a guardrail that is not shown prevents a promotion without tripping', () => {
    const look = decideAtLook({ ...better, challenger: arm(1000, 870, { errors: 8 }) });
    expect(look.harm.guardrails[0]).toMatchObject({ tripped: false, shown: false });
    expect(look).toMatchObject({ decision: 'inconclusive', reason: 'max_duration' });
    expect(look.explanation).toMatch(/^Undecided: guardrail error_rate not shown\./);
  });

  test('4: an interval below the least effect says there is no improvement', () => {
    const look = decideAtLook({ ...better, champion: arm(90_000, 72_000), challenger: arm(10_000, 8_010) });
    expect(look).toMatchObject({ decision: 'reject', reason: 'no_improvement', tested: true, alphaSpent: 0.025 });
    expect(look.interval?.upper as number).toBeLessThan(0.02);
  });

  test('the fixed rule has one look: the first at which all floors hold, also late', () => {
    const later = { asOf: START + 72 * HOUR };
    expect(decided({ ...later, challenger: arm(1000, 822) })).toMatchObject({ decision: 'inconclusive', tested: true });
    expect(decided(later)).toMatchObject({ decision: 'promote' });
    expect(decided(atTheEnd)).toMatchObject({ decision: 'promote' });
  });

  test('outcomes that are all alike give no z: wait, and at the end say no improvement', () => {
    const alike = { champion: arm(9000, 9000), challenger: arm(1000, 1000) };
    expect(decided(alike)).toEqual(waits('variation'));
    expect(decided({ ...alike, ...atTheEnd })).toMatchObject({
      decision: 'reject',
      reason: 'no_improvement',
      tested: false,
    });
  });

  test('one subject in an arm is never tested, whatever the policy allows', () => {
    const sandbox = { ...settings, minSamplesPerArm: 1, minSubjectsPerArm: 1, share: 0.5, guardrails: [] };
    const one = sumArm([{ e: 9, m: 9, x: 8 }]);
    const input = { settings: sandbox, champion: sumArm([{ e: 9, m: 9, x: 1 }]), challenger: one };
    expect(decided(input)).toEqual(waits('floors'));
    expect(decided({ ...input, ...atTheEnd })).toMatchObject({ reason: 'not_enough_data' });
  });

  test('an experiment that nobody visited ends with too little data', () => {
    const nobody = { champion: arm(0, 0), challenger: arm(0, 0), prior: null };
    expect(decided(nobody)).toEqual(waits('floors'));
    expect(decided({ ...nobody, ...atTheEnd })).toMatchObject({ decision: 'inconclusive', reason: 'not_enough_data' });
  });
});

test('ratings from few subjects weigh less than the same ratings from many', () => {
  const subjects = (n: number, each: number, positive: number) =>
    sumArm(
      [...Array(n)].map((_, i) => ({ e: each, m: each, x: i < positive ? each : 0 })),
      { requests: 20_000 },
    );
  const many = decideAtLook({ ...better, champion: subjects(9000, 1, 7200), challenger: subjects(1000, 1, 850) });
  const few = decideAtLook({ ...better, champion: subjects(900, 10, 720), challenger: subjects(100, 10, 85) });
  expect(few.delta).toBe(many.delta);
  expect(few.dChallenger as number).toBeGreaterThan(9);
  expect(many.decision).toBe('promote');
  expect(few.decision).not.toBe('promote');
});

test('sums that contradict each other and impossible crossings are refused', () => {
  expect(() => decideAtLook({ ...better, challenger: { ...arm(1000, 870), x: 1001 } })).toThrow(RangeError);
  expect(() => decideAtLook({ ...better, crossed: -1 })).toThrow(RangeError);
  expect(() => decideAtLook({ ...better, settings: { ...settings, targetEffect: 0.02 } })).toThrow(RangeError);
});

const anyArm = fc
  .record({ n: fc.integer({ min: 0, max: 5000 }), unrated: fc.nat(5000), off: fc.nat(50) })
  .chain(({ n, unrated, off }) =>
    fc
      .record({ x: fc.integer({ min: 0, max: n }), errors: fc.nat(n + unrated) })
      .map(({ x, errors }) => arm(n, x, { unrated, errors: Math.round(errors / 40), O: n + unrated + off })),
  );
const anyLook = fc.record({
  champion: anyArm,
  challenger: anyArm,
  crossed: fc.nat(30),
  share: fc.constantFrom(0.1, 0.3, 0.5),
  hours: fc.integer({ min: 0, max: 130 }),
  prior: fc.option(fc.record({ p0: fc.double({ min: 0, max: 1, noNaN: true }), D0: fc.double({ min: 1, max: 5 }) })),
});

test('whatever the data: no promotion without time, floors and boundary, no waiting at the end, and words that fit', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(anyLook, ({ share, hours, ...rest }) => {
      const asOf = START + hours * HOUR;
      const rules = { ...settings, share, minSamplesPerArm: 300 };
      const last = isLastLook(rules, START, asOf);
      const input = { ...better, ...rest, settings: rules, asOf, last };
      const look = decideAtLook(input);
      seen.add(`${look.decision} ${look.reason ?? look.waitingFor}`);
      const arms = [input.champion, input.challenger];
      const floors = hours >= 48 && arms.every(({ n, N }) => n >= 300 && N >= 100);
      if (look.decision === 'promote') {
        expect(look.z).toBeGreaterThanOrEqual(look.c as number);
        expect(look.delta).toBeGreaterThanOrEqual(0.02);
      }
      if (!floors) {
        expect(look.tested).toBe(false);
        expect(['harm', 'guardrail', 'blocked', 'not_enough_data', null]).toContain(look.reason);
      }
      expect(look.decision === 'wait').toBe(look.waitingFor !== null);
      expect(look.decision === 'wait').toBe(look.reason === null);
      if (last) expect(look.decision).not.toBe('wait');
      expect(look.p).toBeGreaterThanOrEqual(0);
      expect(look.p).toBeLessThanOrEqual(1);
      expect(look.explanation.length).toBeLessThan(200);
      expect(look.explanation).toMatch(/boundary 1\.96$/);
    }),
    { numRuns: 1500, seed: 7 },
  );
  // The property would hold of a rule that never decides: every kind of ending has to have been seen.
  for (const kind of [
    'promote significant',
    'reject harm',
    'reject guardrail',
    'reject no_improvement',
    'wait blocked',
  ])
    expect(seen).toContain(kind);
});

test('a look survives storage: the stored input gives the same decision, and the decision is plain data', () => {
  fc.assert(
    fc.property(anyLook, ({ share, hours, ...rest }) => {
      const asOf = START + hours * HOUR;
      const input = { ...better, ...rest, settings: { ...settings, share }, asOf, last: hours >= 120 };
      const look = decideAtLook(input);
      // Negative zero is the one number that JSON does not keep.
      expect(JSON.parse(JSON.stringify(look))).toEqual(JSON.parse(JSON.stringify(decideAtLook(input))));
      expect(decideAtLook(JSON.parse(JSON.stringify(input)))).toEqual(look);
      expect(JSON.stringify(look)).not.toContain('"z":null');
    }),
    { numRuns: 200 },
  );
});

test('explanations of very large experiments are not cut', () => {
  const huge = { champion: arm(900_000_000, 1_000_000), challenger: arm(100_000_000, 99_999_999) };
  for (const change of [
    huge,
    { ...huge, crossed: 90_000_000 },
    { ...huge, settings: { ...settings, minSamplesPerArm: 1e9 } },
  ])
    expect(decideAtLook({ ...better, ...change }).explanation).toMatch(/boundary 1\.96$/);
});

test('looks come at the minimum, then regularly, and last at the maximum', () => {
  const hours = (every: number, min = 48, max = 120) =>
    lookTimes({ minDurationMs: min * HOUR, maxDurationMs: max * HOUR, lookEveryMs: every * HOUR }, START).map(
      (at) => (at - START) / HOUR,
    );
  expect(hours(24)).toEqual([48, 72, 96, 120]);
  expect(hours(30)).toEqual([48, 78, 108, 120]);
  expect(hours(500)).toEqual([48, 120]);
  expect(hours(24, 48, 48)).toEqual([48]);
  expect(() => hours(0)).toThrow(RangeError);
  expect(() => hours(24, 0)).toThrow(RangeError);
  expect(() => hours(24, 48, 47)).toThrow(RangeError);
});

test('the last look is the one at the maximum duration, however late its timer', () => {
  expect(isLastLook(settings, START, START + 120 * HOUR - 1)).toBe(false);
  expect(isLastLook(settings, START, START + 120 * HOUR)).toBe(true);
  expect(isLastLook(settings, START, START + 500 * HOUR)).toBe(true);
});
