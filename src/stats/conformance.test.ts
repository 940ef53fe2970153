import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alwaysValidHalfWidth } from './always-valid.js';
import { chiSquareSf } from './chi-square.js';
import { type ClusterSums, clusterVariance, clusterVarianceOf, designEffect } from './cluster.js';
import { clusteredTest } from './clustered-test.js';
import { normalCdf, normalIsf, normalQuantile, normalSf, twoSidedP } from './normal.js';
import { plannedDesignEffect, sampleSize } from './planning.js';
import { sampleRatioTest } from './sample-ratio.js';
import { newcombeLimits, wilsonLimits } from './score-limits.js';
import { twoProportionZ } from './two-proportions.js';

/**
 * Reference numbers made elsewhere, in 50-digit arithmetic and by other programs. They are not part of this
 * repository: where they are missing, the test says so and passes.
 */
const FILE = join(process.env.UNDERSTUDY_SHARED ?? '../shared', 'data/statistics/vectors.json');

// biome-ignore lint/suspicious/noExplicitAny: every section of the file has its own shape
type Case = { id: string; input: any; expected: Record<string, unknown> | number | string; tol: any };
type Figures = Record<string, number | boolean | null>;

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
    const { rel, abs } = tol[name] ?? tol['*'] ?? tol;
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
};

const SECTIONS: Record<string, (item: Case) => Figures | number | null> = {
  '1_distributions': ({ input }) => DISTRIBUTIONS[input.fn]?.(input) ?? null,
  '2_two_proportions': ({ input: { x0, n0, x1, n1, alpha } }) => {
    const [champion, challenger] = [
      { n: n0, x: x0 },
      { n: n1, x: x1 },
    ];
    const { delta, z, p, se } = twoProportionZ(champion, challenger);
    const c = normalIsf(alpha / 2);
    const newcombe = newcombeLimits(champion, challenger, c);
    const wilson0 = wilsonLimits(champion, c);
    const wilson1 = wilsonLimits(challenger, c);
    return {
      ...{ diff: delta, se_pooled: se, z, p_two_sided: p, p_greater: normalSf(z), p_less: normalCdf(z) },
      ...{ wilson0_lo: wilson0.lower, wilson0_hi: wilson0.upper, wilson1_lo: wilson1.lower, wilson1_hi: wilson1.upper },
      ...{ newcombe_lo: newcombe.lower, newcombe_hi: newcombe.upper },
    };
  },
  '3b_ratio_clusters': ({ input }) => {
    const centred = (list: [number, number][]) => clusterVarianceOf(list.map(([x, m]) => ({ x, m }))) as number;
    const [var0, var1] = [centred(input.clusters0), centred(input.clusters1)];
    const figures: Figures = { var0, var1, se: Math.sqrt(var0 + var1) };
    if (input.kind !== 'binary') return figures;
    const sums = ({ k, sx, sn, sxx, sxn, snn }: Record<string, number>) =>
      ({ N: k, n: sn, x: sx, m2: snn, x2: sxx, xm: sxn }) as ClusterSums;
    const [champion, challenger] = [sums(input.moments0), sums(input.moments1)];
    const result = clusteredTest(champion, challenger);
    Object.assign(figures, { r0: result.pChampion, r1: result.pChallenger, diff: result.delta });
    expect(clusterVariance(champion)).toBeCloseTo(var0, 12);
    // With one outcome a subject the rule sets the design effect to 1, where the reference has k/(k−1).
    if (champion.m2 === champion.n) return { ...figures, naive_pooled_z: result.z };
    return { ...figures, deff0: designEffect(champion), deff1: designEffect(challenger), z_pooled_deff: result.z };
  },
  '6_srm': ({ input }) => {
    const { chiSquare, p, mismatch } = sampleRatioTest(input.observed, input.shares);
    return { chi2: chiSquare, p, log10_p: Math.log10(p), alarm: mismatch };
  },
  '8_sample_size': ({ input }) => {
    const { alpha, power, share, p0, mde, icc, mean_cluster, cv_cluster } = input;
    const size = sampleSize({ alpha, power, share, p0, effect: mde });
    if (icc === undefined) {
      const [n0_ceil, n1_ceil] = [Math.ceil(size.champion), Math.ceil(size.challenger)];
      const total_ceil = n0_ceil + n1_ceil;
      return { n0_pooled: size.champion, n1_pooled: size.challenger, n0_ceil, n1_ceil, total_ceil };
    }
    const deff = plannedDesignEffect(mean_cluster, cv_cluster, icc);
    const clustered = sampleSize({ alpha, power, share, p0, effect: mde, design: deff });
    return { deff, n0: clustered.champion, n1: clustered.challenger };
  },
};

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

test('the always-valid half-width is that of the reference, whose mixing variance is our κ', () => {
  if (!available) return;
  for (const { id, input, expected } of reference.sections['5_always_valid']?.cases ?? []) {
    // Two-sided alpha a = 2α, and κ = N·ρ²; so I₀ = 1/(V·κ).
    const variance = expected.se ** 2;
    const kappa = (input.n0 + input.n1) * expected.growthbook.rho ** 2;
    const half = alwaysValidHalfWidth(variance, 1 / variance / kappa, input.alpha / 2);
    expect(Math.abs(half / expected.growthbook.half_width - 1), id).toBeLessThan(1e-10);
  }
});
