import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alwaysValidHalfWidth, alwaysValidP } from './always-valid.js';
import { groupSequentialBoundaries } from './boundaries.js';
import { chiSquareIsf, chiSquareSf } from './chi-square.js';
import { type ClusterSums, clusterVariance, clusterVarianceOf, designEffect } from './cluster.js';
import { clusteredTest } from './clustered-test.js';
import { comparisonInterval } from './composite.js';
import { crossingProbabilities, driftForPower, type StoppingLook } from './crossing.js';
import { exactKsP, kolmogorovSmirnov, limitKsP, stephensKsP } from './kolmogorov-smirnov.js';
import { marginTest, scoreLimits, waldLimits } from './margin-test.js';
import { normalCdf, normalIsf, normalQuantile, normalSf, twoSidedP } from './normal.js';
import { plannedDesignEffect, powerOfSizes, sampleSize } from './planning.js';
import { countInBins, populationStability, psiUnderNull } from './psi.js';
import { seededRandom } from './random.js';
import { compareRatios, sumRatio } from './ratio.js';
import { sampleRatioTest } from './sample-ratio.js';
import { newcombeLimits, wilsonLimits } from './score-limits.js';
import { studentIsf, studentQuantile, studentSf } from './student-t.js';
import { twoProportionZ } from './two-proportions.js';
import { welchInterval, welchTest } from './welch.js';

/**
 * Reference numbers made elsewhere, in 50-digit arithmetic and by other programs. They are not part of this
 * repository: where they are missing, the test says so and passes.
 */
const FILE = join(process.env.UNDERSTUDY_SHARED ?? '../shared', 'data/statistics/vectors.json');

// biome-ignore lint/suspicious/noExplicitAny: every section of the file has its own shape
type Case = { id: string; input: any; expected: Record<string, unknown> | number | string; tol: any };
type Figures = Record<string, number | boolean | null>;

/** Counts come without a tolerance. */
const EXACT = { rel: 0, abs: 0 };

/** Compares the figures we have; figures of the case that we do not compute are not asked for. */
function compare({ id, expected, tol }: Case, got: Figures | number): void {
  const wanted = typeof expected === 'object' ? expected : { value: expected };
  const ours: Figures = typeof got === 'object' ? got : { value: got };
  for (const [name, value] of Object.entries(ours)) {
    const target = wanted[name];
    if (typeof target === 'boolean') {
      expect(value, `${id} ${name}`).toBe(target);
      continue;
    }
    const { rel, abs } = tol[name] ?? tol['*'] ?? (tol.rel === undefined ? EXACT : tol);
    const number = Number(target);
    if (!Number.isFinite(number)) expect(value, `${id} ${name}`).toBe(number);
    else
      expect(Math.abs((value as number) - number), `${id} ${name}`).toBeLessThanOrEqual(abs + rel * Math.abs(number));
  }
}

const DISTRIBUTIONS: Record<string, (input: Case['input']) => number> = {
  norm_sf: ({ z }) => normalSf(z),
  norm_cdf: ({ z }) => normalCdf(z),
  norm_two_sided_p: ({ z }) => twoSidedP(z),
  norm_quantile: ({ p }) => normalQuantile(p),
  norm_isf: ({ p }) => normalIsf(p),
  chi2_sf: ({ x, df }) => chiSquareSf(x, df),
  chi2_isf: ({ q, df }) => chiSquareIsf(q, df),
  t_sf: ({ t, df }) => studentSf(t, df),
  t_quantile: ({ p, df }) => studentQuantile(p, df),
};

const armsOf = ({ x0, n0, x1, n1 }: Case['input']) => [{ n: n0, x: x0 } as const, { n: n1, x: x1 } as const] as const;

const spendingOf = (kind: string) => (kind === 'obf' ? 'obrien_fleming' : 'pocock');

/** The looks of a case, with the boundaries that its spending gives. */
function looksOf({ info, spend, alpha_side, symmetric, kind, force_last = true }: Case['input']) {
  const { c, spent } = groupSequentialBoundaries({
    ...{ information: info as number[], tau: spend ?? info, alpha1: alpha_side, spending: spendingOf(kind) },
    ...{ symmetric, last: force_last },
  });
  const looks: StoppingLook[] = c.map((upper, k) => ({
    ...{ information: info[k], upper, lower: symmetric ? -upper : -Infinity },
  }));
  return { c, spent, looks };
}

/** Numbers of one sample: given, or drawn from the seeded generator and transformed. */
function sampleOf(spec: number[] | { seed: number; n: number; transform: string }): number[] {
  if (Array.isArray(spec)) return spec;
  const u = seededRandom(spec.seed);
  const [name, argument] = spec.transform.split(':');
  const k = Number(argument);
  const draw: Record<string, () => number> = {
    u,
    'u^2': () => u() ** 2,
    shift: () => u() + k,
    sum3: () => u() + u() + u(),
    floor: () => Math.floor(u() * k) / k,
  };
  return Array.from({ length: spec.n }, draw[name as string] as () => number);
}

/** name_0, name_1, … for comparing lists figure by figure. */
const listed = (name: string, values: readonly number[]): Figures =>
  Object.fromEntries(values.map((value, k) => [`${name}_${k}`, value]));

const SECTIONS: Record<string, (item: Case) => Figures | number | null> = {
  '1_distributions': ({ input }) => DISTRIBUTIONS[input.fn]?.(input) ?? null,
  '2_two_proportions': ({ input }) => {
    const [champion, challenger] = armsOf(input);
    const { delta, z, p, se } = twoProportionZ(champion, challenger);
    const c = normalIsf(input.alpha / 2);
    const newcombe = newcombeLimits(champion, challenger, c);
    const wilson0 = wilsonLimits(champion, c);
    const wilson1 = wilsonLimits(challenger, c);
    const wald = waldLimits(champion, challenger, c);
    const mee = scoreLimits(champion, challenger, c);
    return {
      ...{ p0: champion.x / champion.n, p1: challenger.x / challenger.n, diff: delta, se_pooled: se },
      ...{ z, p_two_sided: p, p_greater: normalSf(z), p_less: normalCdf(z) },
      ...{ wilson0_lo: wilson0.lower, wilson0_hi: wilson0.upper, wilson1_lo: wilson1.lower, wilson1_hi: wilson1.upper },
      ...{ newcombe_lo: newcombe.lower, newcombe_hi: newcombe.upper, wald_lo: wald.lower, wald_hi: wald.upper },
      ...{ mee_lo: mee.lower, mee_hi: mee.upper, se_unpooled: (wald.upper - wald.lower) / (2 * c) },
    };
  },
  '2b_margin_tests': ({ input }) => {
    const test = marginTest(...armsOf(input), input.margin);
    return {
      ...{ diff: test.delta, z_unpooled: test.zUnpooled, p_unpooled: test.pUnpooled, p0_mle: test.p0, p1_mle: test.p1 },
      ...{ se_fm: test.se, z_fm: test.z, p_fm: test.p, z_miettinen_nurminen: test.zMiettinenNurminen },
      p_miettinen_nurminen: test.pMiettinenNurminen,
    };
  },
  '3a_welch': ({ input: { mean0, var0, n0, mean1, var1, n1, alpha } }) => {
    const test = welchTest({ n: n0, mean: mean0, variance: var0 }, { n: n1, mean: mean1, variance: var1 });
    const interval = welchInterval(test, 1 - alpha);
    const crit = studentIsf(alpha / 2, test.df);
    return {
      ...{ diff: test.delta, se: test.se, t: test.t, df: test.df, p_two_sided: test.p, crit },
      ...{ ci_lo: interval?.lower ?? null, ci_hi: interval?.upper ?? null },
    };
  },
  '3b_ratio_clusters': ({ input }) => {
    const subjects = (list: [number, number][]) => list.map(([x, m]) => ({ x, m }));
    const [var0, var1] = [input.clusters0, input.clusters1].map((l) => clusterVarianceOf(subjects(l)) as number);
    const [sums0, sums1] = [sumRatio(subjects(input.clusters0)), sumRatio(subjects(input.clusters1))];
    const ratio = compareRatios(sums0, sums1);
    const limits = comparisonInterval(ratio, normalIsf(input.alpha / 2));
    const uncorrected = Math.sqrt(
      ((ratio.variances?.[0] ?? NaN) * (sums0.N - 1)) / sums0.N +
        ((ratio.variances?.[1] ?? NaN) * (sums1.N - 1)) / sums1.N,
    );
    const figures: Figures = {
      ...{
        r0: ratio.champion,
        r1: ratio.challenger,
        diff: ratio.delta,
        se: ratio.se,
        z: ratio.z,
        p_two_sided: ratio.p,
      },
      ...{ ci_lo: limits?.lower ?? null, ci_hi: limits?.upper ?? null, se_hc0: uncorrected },
      ...{ var0: var0 as number, var1: var1 as number, z_hc0: (ratio.delta as number) / uncorrected },
    };
    if (input.moments0 !== undefined) figures.z_common_variance = ratio.zCommon;
    expect(Math.abs((ratio.variances?.[0] ?? NaN) / (var0 as number) - 1)).toBeLessThan(1e-9);
    if (input.kind !== 'binary') return figures;
    const sums = ({ k, sx, sn, sxx, sxn, snn }: Record<string, number>) =>
      ({ N: k, n: sn, x: sx, m2: snn, x2: sxx, xm: sxn }) as ClusterSums;
    const [champion, challenger] = [sums(input.moments0), sums(input.moments1)];
    const result = clusteredTest(champion, challenger);
    expect(clusterVariance(champion)).toBeCloseTo(var0 as number, 12);
    figures.naive_pooled_z = twoProportionZ(champion, challenger).z;
    // With one outcome a subject the rule sets the design effect to 1, where the reference has k/(k−1).
    if (champion.m2 === champion.n) return figures;
    return { ...figures, deff0: designEffect(champion), deff1: designEffect(challenger), z_pooled_deff: result.z };
  },
  '4_group_sequential_bounds': ({ input, expected, tol }) => {
    const { c, spent, looks } = looksOf(input);
    const wanted = expected as Record<string, (number | string)[]>;
    const { upper } = crossingProbabilities(looks, 0);
    const figures: Figures = {};
    c.forEach((bound, k) => {
      const target = Number(wanted.z?.[k]);
      // A boundary of 8 or more is one that cannot be reached; how far above 8 means nothing.
      figures[`z_${k}`] = target >= 8 && bound >= 8 ? target : bound;
      figures[`cum_alpha_side_${k}`] = spent[k] as number;
      if (target >= 8) return;
      figures[`nominal_p_one_sided_${k}`] = normalSf(bound);
      figures[`first_exit_upper_${k}`] = upper[k] as number;
    });
    for (const [name, values] of Object.entries(wanted))
      values.forEach((value, k) => {
        Object.assign(expected as object, { [`${name}_${k}`]: value });
        tol[`${name}_${k}`] = tol[name] ?? tol['*'];
      });
    return figures;
  },
  '4b_group_sequential_power': ({ input, expected }) => {
    const { looks } = looksOf(input);
    const { upper, lower, everUpper, everLower, expectedInformation } = crossingProbabilities(looks, input.theta);
    const wanted = expected as Record<string, number[]>;
    Object.assign(wanted, listed('up', wanted.exit_upper ?? []), listed('low', wanted.exit_lower ?? []));
    return {
      ...{ power_upper: everUpper, cross_lower: everLower, expected_info: expectedInformation },
      ...listed('up', upper),
      ...listed('low', input.symmetric ? lower : []),
    };
  },
  '4c_inflation': ({ input }) => {
    const { looks } = looksOf(input);
    const drift = driftForPower(looks, input.power);
    const fixed_drift = normalIsf(input.alpha_side) + normalIsf(1 - input.power);
    const inflation = (drift / fixed_drift) ** 2;
    const expected_fraction_h1 = crossingProbabilities(looks, drift).expectedInformation;
    const expected_fraction_h0 = crossingProbabilities(looks, 0).expectedInformation;
    const [asn_vs_fixed_h1, asn_vs_fixed_h0] = [inflation * expected_fraction_h1, inflation * expected_fraction_h0];
    const shares = { expected_fraction_h1, expected_fraction_h0, asn_vs_fixed_h1, asn_vs_fixed_h0 };
    return { drift, fixed_drift, inflation, ...shares };
  },
  '6_srm': ({ input }) => {
    const { chiSquare, p, mismatch } = sampleRatioTest(input.observed, input.shares);
    const df = input.observed.length - 1;
    return { chi2: chiSquare, df, p, log10_p: Math.log10(p), alarm: mismatch };
  },
  '7a_ks': ({ input, expected }) => {
    const [x, y] = [sampleOf(input.x), sampleOf(input.y)];
    for (const [name, head] of [
      ['x_head', x],
      ['y_head', y],
    ] as const)
      if (input[name] !== undefined) expect(head.slice(0, 4)).toEqual(input[name]);
    const { D, numerator, n, m, p } = kolmogorovSmirnov(x, y);
    const figures: Figures = {
      ...{ n, m, D, D_numerator_over_nm: numerator },
      ...{ p_kolmogorov: limitKsP(D, n, m), p_stephens: stephensKsP(D, n, m) },
    };
    const wanted = (expected as Record<string, number | null>).p_exact;
    if (wanted !== undefined && wanted !== null) figures.p_exact = exactKsP(numerator, n, m);
    expect(p).toBeGreaterThanOrEqual(0);
    return figures;
  },
  '7b_psi': ({ input, expected }) => {
    const wanted = expected as Record<string, unknown>;
    const figures: Figures = {};
    let [n, m, bins] = [input.n, input.m, input.B];
    if (input.reps === undefined) {
      const counts = (given: number[], spec: Parameters<typeof sampleOf>[0]) =>
        given ?? countInBins(sampleOf(spec), input.edges);
      const e = counts(input.expected_counts, input.expected);
      const a = counts(input.actual_counts, input.actual);
      if (wanted.expected_counts !== undefined) {
        expect(e).toEqual(wanted.expected_counts);
        expect(a).toEqual(wanted.actual_counts);
      }
      [n, m, bins] = [sumOf(e), sumOf(a), e.length];
      const none = populationStability(e, a, 'none');
      if (none === null) expect(wanted.none).toBeNull();
      else figures.none = none;
      Object.assign(figures, {
        floor: populationStability(e, a, 'floor'),
        add_half: populationStability(e, a),
        B: bins,
      });
      if (none !== null && wanted.p_value_chi2 != null) figures.p_value_chi2 = psiUnderNull(bins, n, m).p(none);
    }
    const { mean, critical } = psiUnderNull(bins, n, m);
    const spread = (1 / n + 1 / m) * Math.sqrt(2 * (bins - 1));
    return {
      ...{ ...figures, expected_null: mean, critical_95: critical(0.05), critical_999: critical(0.001) },
      critical_95_normal: mean + normalIsf(0.05) * spread,
    };
  },
  '8_sample_size': ({ input }) => {
    const { alpha, power, share, p0, mde, icc, mean_cluster, cv_cluster } = input;
    const size = sampleSize({ alpha, power, share, p0, effect: mde });
    if (icc === undefined) {
      expect(powerOfSizes(size, { alpha, p0, effect: mde })).toBeCloseTo(power, 9);
      const [n0_ceil, n1_ceil] = [Math.ceil(size.champion), Math.ceil(size.challenger)];
      const total_ceil = n0_ceil + n1_ceil;
      return { n0_pooled: size.champion, n1_pooled: size.challenger, n0_ceil, n1_ceil, total_ceil };
    }
    const deff = plannedDesignEffect(mean_cluster, cv_cluster, icc);
    const clustered = sampleSize({ alpha, power, share, p0, effect: mde, design: deff });
    const [subjects0, subjects1] = [clustered.champion / mean_cluster, clustered.challenger / mean_cluster];
    return { deff, n0: clustered.champion, n1: clustered.challenger, subjects0, subjects1 };
  },
};

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

const available = existsSync(FILE);
if (!available) console.info(`statistics: reference numbers left out, ${FILE} is not there`);
// biome-ignore lint/suspicious/noExplicitAny: see Case
const reference: { sections: Record<string, { cases: any[] }> } = available
  ? JSON.parse(readFileSync(FILE, 'utf8'))
  : { sections: {} };

test.each(Object.entries(SECTIONS))(
  'the reference numbers of section %s are met where they are at hand',
  (name, compute) => {
    if (!available) return;
    const cases: Case[] = reference.sections[name]?.cases ?? [];
    let compared = 0;
    for (const item of cases) {
      const got = compute(item);
      if (got === null) continue;
      compare(item, got);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(0);
  },
);

test('the always-valid bounds are those of three other programs, for mixing variances and levels of theirs', () => {
  if (!available) return;
  const close = (got: number, wanted: number, id: string) =>
    expect(Math.abs(got - wanted), id).toBeLessThanOrEqual(1e-10 * Math.abs(wanted) + 1e-13);
  for (const { id, input, expected, tensorzero_variant_tstar100: other } of reference.sections['5_always_valid']
    ?.cases ?? []) {
    const variance = expected.se ** 2;
    const z = expected.diff / expected.se;
    const { growthbook, statsig } = expected;
    // Two-sided alpha a = 2α, and κ = N·ρ²; so I₀ = 1/(V·κ).
    for (const theirs of [growthbook, other]) {
      const kappa = (input.n0 + input.n1) * theirs.rho ** 2;
      const half = alwaysValidHalfWidth(variance, 1 / variance / kappa, input.alpha / 2);
      close(half, theirs.half_width, id);
      close(half / expected.se, theirs.multiplier, id);
      close(alwaysValidP(z, kappa), theirs.p, id);
    }
    close(expected.diff - growthbook.half_width, growthbook.ci_lo, id);
    expect(alwaysValidP(z, (input.n0 + input.n1) * growthbook.rho ** 2) < input.alpha).toBe(growthbook.significant);
    // The mixture of the third is stated for half the level: a/2 = 2α.
    const kappa = statsig.tau / statsig.V;
    const half = alwaysValidHalfWidth(statsig.V, 1 / statsig.tau, input.alpha / 4);
    close(half, statsig.half_width, id);
    close(half / Math.sqrt(statsig.V), statsig.z_star, id);
    close(alwaysValidP(z, kappa), statsig.p_one_over_lr, id);
    close(Math.min(1, 2 * alwaysValidP(z, kappa)), statsig.p_dual, id);
  }
});
