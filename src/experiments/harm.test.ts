import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HarmInput, judgeHarm } from './harm.js';

/** An arm in which every subject rated one answer. */
const arm = (n: number, x: number, requests = n, errors = 0) => ({ N: n, n, x, m2: n, x2: x, xm: x, requests, errors });
/** An arm whose subjects gave k ratings each, all alike. */
const loyal = (N: number, k: number, positive: number) => ({
  ...{ N, n: N * k, x: positive * k, m2: N * k * k, x2: positive * k * k, xm: positive * k * k },
  ...{ requests: N * k, errors: 0 },
});

const base: HarmInput = {
  champion: arm(900, 810),
  challenger: arm(100, 70),
  share: 0.1,
  prior: { p0: 0.9, D0: 1 },
  guardrails: [{ metric: 'error_rate', margin: 0.01 }],
};
const relative = (got: number | null, expected: number) => Math.abs((got as number) / expected - 1);

test('U is the formula, checked in 40-digit arithmetic, and not below 0 yet', () => {
  const verdict = judgeHarm(base);
  expect(relative(verdict.U, 0.04099333882285148)).toBeLessThan(1e-12);
  expect(relative(verdict.kappa, 0.4528419486592509)).toBeLessThan(1e-12);
  expect(relative(verdict.initialInformation, 1000)).toBeLessThan(1e-12);
  expect(verdict).toMatchObject({ stop: false, reason: null, tested: true });
});

test('a challenger that is certainly worse is stopped, with the numbers', () => {
  const verdict = judgeHarm({ ...base, champion: arm(9000, 8100), challenger: arm(1000, 640) });
  expect(verdict).toMatchObject({ stop: true, reason: 'harm' });
  expect(verdict.explanation).toBe(
    'Harm: the difference -26.0 pp is at best -20.7 pp, below 0; challenger 640 of 1000, champion 8100 of 9000',
  );
});

test('ratings of few faithful subjects stop later than those of many', () => {
  const many = judgeHarm({ ...base, champion: arm(9000, 8100), challenger: arm(500, 350) });
  const few = judgeHarm({ ...base, champion: arm(9000, 8100), challenger: loyal(20, 25, 14) });
  expect(few.delta).toBe(many.delta);
  expect(many.reason).toBe('harm');
  expect(few.reason).toBeNull();
});

test('outcomes are not judged before 100 outcomes of 20 subjects in the challenger arm', () => {
  const champion = arm(9000, 9000);
  expect(judgeHarm({ ...base, champion, challenger: arm(99, 0) })).toMatchObject({
    stop: false,
    tested: false,
    U: null,
  });
  expect(judgeHarm({ ...base, champion, challenger: arm(100, 0) })).toMatchObject({ stop: true, reason: 'harm' });
  expect(judgeHarm({ ...base, champion, challenger: loyal(19, 40, 0) })).toMatchObject({ stop: false, tested: false });
  expect(judgeHarm({ ...base, champion, challenger: loyal(20, 40, 0) })).toMatchObject({ stop: true });
});

test('before that a failing challenger is stopped by its error rate, from 20 requests on', () => {
  const failing = (requests: number) =>
    judgeHarm({ ...base, champion: arm(0, 0, 180, 0), challenger: arm(0, 0, requests, requests) });
  expect(failing(19)).toMatchObject({ stop: false, reason: null });
  expect(failing(20)).toMatchObject({ stop: true, reason: 'guardrail', tested: false });
  expect(relative(failing(20).guardrails[0]?.lower ?? null, 0.8769202015528169)).toBeLessThan(1e-12);
  expect(failing(20).explanation).toBe(
    'Guardrail error_rate: worse by at least +87.7 pp, allowed +1.0 pp; 20 of 20 failed, champion 0 of 180',
  );
});

test('without an error-rate guardrail in the policy errors stop nothing', () => {
  const verdict = judgeHarm({ ...base, challenger: arm(0, 0, 50, 50), guardrails: [] });
  expect(verdict).toMatchObject({ stop: false, guardrails: [] });
});

test('errors the champion has as well are nobody’s fault', () => {
  const verdict = judgeHarm({ ...base, champion: arm(0, 0, 900, 450), challenger: arm(0, 0, 100, 52) });
  expect(verdict.stop).toBe(false);
});

test('a champion without subjects, or a challenger without any, is never judged', () => {
  expect(judgeHarm({ ...base, champion: arm(0, 0) })).toMatchObject({ stop: false, tested: false });
  expect(judgeHarm({ ...base, champion: arm(1, 1) })).toMatchObject({ stop: false, tested: false });
  expect(judgeHarm({ ...base, challenger: arm(0, 0) })).toMatchObject({ stop: false, tested: false });
});

const counts = fc
  .integer({ min: 0, max: 20_000 })
  .chain((n) => fc.record({ n: fc.constant(n), x: fc.integer({ min: 0, max: n }) }));
const prior = fc.option(fc.record({ p0: fc.constantFrom(0, 1e-6, 0.2, 0.8, 1), D0: fc.double({ min: 1, max: 9 }) }));

test('a challenger that looks no worse is never stopped for harm, whatever the prior and the share', () => {
  fc.assert(
    fc.property(counts, counts, prior, fc.double({ min: 0.01, max: 0.9, noNaN: true }), (a, b, known, share) => {
      const verdict = judgeHarm({ ...base, champion: arm(a.n, a.x), challenger: arm(b.n, b.x), prior: known, share });
      if (b.x * a.n >= a.x * b.n) expect(verdict.reason).not.toBe('harm');
      if (verdict.tested) expect(verdict.U as number).toBeGreaterThanOrEqual(verdict.delta as number);
      expect(verdict.stop).toBe(verdict.reason !== null);
      expect(verdict.explanation.length).toBeLessThanOrEqual(200);
      expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
    }),
  );
});

test('more negative outcomes never speak for the challenger', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 3000 }), fc.integer({ min: 1, max: 100 }), (n, x) => {
      const U = (positive: number) => judgeHarm({ ...base, challenger: arm(n, positive) }).U as number;
      // From far below: the variance grows towards one half, but slower than the difference falls.
      if (judgeHarm({ ...base, challenger: arm(n, x) }).stop)
        expect(judgeHarm({ ...base, challenger: arm(n, x - 1) }).stop || U(x - 1) < U(x)).toBe(true);
    }),
  );
});

/** A small generator with a good enough sequence (xorshift32), so that the simulation is the same everywhere. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** How many of `runs` challengers of quality `pt` are stopped, asked after every 60 ratings up to 6,000. */
function stopped(runs: number, pt: number): number {
  const random = dice(20_261_120);
  let stops = 0;
  for (let run = 0; run < runs; run++) {
    const [c, t] = [
      { n: 0, x: 0 },
      { n: 0, x: 0 },
    ];
    for (let i = 1; i <= 6000; i++) {
      const challenger = random() < 0.1;
      const side = challenger ? t : c;
      side.n += 1;
      side.x += random() < (challenger ? pt : 0.8) ? 1 : 0;
      if (i % 60 === 0 && judgeHarm({ ...base, champion: arm(c.n, c.x), challenger: arm(t.n, t.x) }).stop) {
        stops += 1;
        break;
      }
    }
  }
  return stops;
}

test('asked 100 times in each of 500 experiments, an identical challenger is stopped in at most 2 % of them', () => {
  expect(stopped(500, 0.8)).toBeLessThanOrEqual(10);
});

test('a challenger that is worse by twenty points is stopped within 6,000 ratings in almost every experiment', () => {
  expect(stopped(100, 0.6)).toBeGreaterThanOrEqual(95);
});
