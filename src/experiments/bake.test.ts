import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeBake } from './bake.js';
import { judgeHarm } from './harm.js';

/** An arm in which every subject rated one answer. */
const arm = (n: number, x: number, requests = n, errors = 0) => ({ N: n, n, x, m2: n, x2: x, xm: x, requests, errors });
/** An arm whose subjects gave k ratings each, all alike. */
const loyal = (N: number, k: number, positive: number) => ({
  ...{ N, n: N * k, x: positive * k, m2: N * k * k, x2: positive * k * k, xm: positive * k * k },
  ...{ requests: N * k, errors: 0 },
});

const counts = fc
  .integer({ min: 0, max: 20_000 })
  .chain((n) => fc.record({ n: fc.constant(n), x: fc.integer({ min: 0, max: n }) }));
const baking = { champion: arm(900, 810), holdback: arm(100, 90), share: 0.1, prior: null, maxDegradation: 0.01 };

test('a promotion that holds stays, and one that is certainly worse than before is undone', () => {
  expect(judgeBake(baking)).toMatchObject({ rollBack: false, reason: null, tested: true });
  const bad = judgeBake({ ...baking, champion: arm(9000, 5400), holdback: arm(1000, 900) });
  expect(bad).toMatchObject({ rollBack: true, reason: 'bake_harm' });
  expect(bad.delta).toBeCloseTo(-0.3, 12);
  expect(bad.explanation).toMatch(/^Worse than before: .* allowed -1\.0 pp; new 5400 of 9000, held back 900 of 1000$/);
});

test('the bake bounds the new version against the holdback exactly as harm bounds a challenger', () => {
  const bake = judgeBake({ ...baking, champion: arm(3000, 2400), holdback: arm(400, 350) });
  const harm = judgeHarm({
    ...{ champion: arm(400, 350), challenger: arm(3000, 2400), share: 0.1, prior: null, guardrails: [] },
  });
  expect(bake.U).toBe(harm.U);
  expect(bake.initialInformation).toBe(harm.initialInformation);
});

test('a degradation within what is allowed is no reason to roll back', () => {
  const worse = { ...baking, champion: arm(90_000, 79_200), holdback: arm(10_000, 9_200) };
  expect(judgeBake({ ...worse, maxDegradation: 0 }).rollBack).toBe(true);
  expect(judgeBake({ ...worse, maxDegradation: 0.03 }).rollBack).toBe(false);
});

test('a bake without enough ratings in either arm judges no outcomes', () => {
  expect(judgeBake({ ...baking, champion: arm(900, 0), holdback: arm(99, 99) })).toMatchObject({ tested: false });
  expect(judgeBake({ ...baking, champion: arm(99, 0), holdback: arm(900, 900) })).toMatchObject({ rollBack: false });
  expect(judgeBake({ ...baking, champion: loyal(19, 50, 0), holdback: arm(900, 900) }).rollBack).toBe(false);
});

test('a promoted version that fails its requests is undone by the guardrail, when the policy has one', () => {
  const failing = { ...baking, champion: arm(0, 0, 200, 100), holdback: arm(0, 0, 25, 0) };
  const guardrails = [{ metric: 'error_rate', margin: 0.01 }] as const;
  expect(judgeBake(failing)).toMatchObject({ rollBack: false, guardrails: [] });
  expect(judgeBake({ ...failing, guardrails })).toMatchObject({ rollBack: true, reason: 'bake_harm' });
  const early = { ...failing, holdback: arm(0, 0, 19, 0), guardrails };
  expect(judgeBake(early)).toMatchObject({ rollBack: false });
});

test('a bake never undoes a promotion whose outcomes look no worse', () => {
  fc.assert(
    fc.property(counts, counts, (a, b) => {
      const verdict = judgeBake({ ...baking, champion: arm(a.n, a.x), holdback: arm(b.n, b.x) });
      if (a.x * b.n >= b.x * a.n) expect(verdict.rollBack).toBe(false);
      expect(verdict.explanation.length).toBeLessThanOrEqual(200);
    }),
  );
});
