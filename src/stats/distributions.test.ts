import fc from 'fast-check';
import { expect, test } from 'vitest';
import { betaCdf, betaDensity, betaQuantile, betaSf } from './beta.js';
import { binomialCdf, binomialUpper, clopperPearson } from './binomial.js';
import { chiSquareIsf, chiSquareSf } from './chi-square.js';
import { normalIsf, normalSf } from './normal.js';
import { studentCdf, studentIsf, studentQuantile, studentSf, studentTwoSidedP } from './student-t.js';

const near = (got: number, expected: number, digits = 12) =>
  expect(Math.abs(got / expected - 1), `${got} for ${expected}`).toBeLessThan(10 ** -digits);

// 40-digit arithmetic (mpmath 1.4, regularised incomplete beta function).
test.each([
  [0.1, 1, 0.4682744825694464],
  [3, 1.5, 0.06677387712745664],
  [50, 2.5, 4.0652475424793605e-5],
  [1e6, 1, 3.1830988618368455e-7],
  [1e8, 3, 1.1026577908435836e-24],
  [6, 7.25, 0.00023705664785829815],
  [40, 12, 1.925614790386017e-14],
  [12, 1000, 2.1620286933872636e-31],
  [35, 1e5, 4.675833169799531e-267],
  [5, 1e9, 2.8665162019758144e-7],
  [1e-6, 10, 0.49999961089161604],
])("Student's tail beyond %d with %d degrees of freedom is right to eleven digits", (t, df, tail) => {
  near(studentSf(t, df), tail, 11);
  near(studentCdf(-t, df), tail, 11);
  near(studentTwoSidedP(-t, df), 2 * tail, 11);
});

// SciPy 1.17, stats.t.isf.
test.each([
  [0.025, 1, 12.706204736174705],
  [1e-10, 1, 3183098861.8379064],
  [1e-30, 2.5, 876543788227.9991],
  [0.025, 6315.7741613659855, 1.9603396658311283],
  [1e-50, 40, 104.75817320359123],
  [0.49, 3, 0.027211467049117997],
  [0.4, 8.5, 0.2614094559525471],
])("the inverse of Student's tail of %d with %d degrees of freedom is right to eleven digits", (p, df, t) => {
  near(studentIsf(p, df), t, 11);
  near(studentQuantile(p, df), -t, 11);
});

test("Student's tail and its inverse undo each other, are odd, and end in the normal ones", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -200, max: Math.log10(0.49), noNaN: true }),
      fc.double({ min: 1, max: 1e5, noNaN: true }),
      (exponent, df) => {
        const p = 10 ** exponent;
        const t = studentIsf(p, df);
        near(studentSf(t, df), p, 9);
        expect(studentSf(-t, df)).toBe(1 - studentSf(t, df));
      },
    ),
  );
  near(studentSf(3, 1e12), normalSf(3), 10);
  expect([studentIsf(0.5, 3), studentIsf(0, 3), studentQuantile(0, 3)]).toEqual([0, Infinity, -Infinity]);
  expect([studentSf(0, 4), studentSf(Infinity, 4), studentSf(-Infinity, 4)]).toEqual([0.5, 0, 1]);
  near(studentSf(1e200, 1), 1e-200 / Math.PI);
  expect(studentSf(NaN, 4)).toBeNaN();
  expect(() => studentSf(1, 0)).toThrow(RangeError);
  expect(() => studentIsf(1.1, 3)).toThrow(RangeError);
  expect(() => studentIsf(0.1, NaN)).toThrow(RangeError);
});

// 40-digit arithmetic.
test.each([
  [0.2, 0.5, 0.5, 0.2951672353008666, 0.7048327646991335],
  [0.001, 3, 40, 1.114926195234872e-5, 0.9999888507380477],
  [0.9, 2.5, 0.3, 0.31975135213727607, 0.680248647862724],
  [0.45, 1000, 1000, 3.683198869007578e-6, 0.999996316801131],
  [0.79, 8000, 2000, 0.006667183636204299, 0.9933328163637957],
  [1e-8, 2, 3, 5.99999992e-16, 0.9999999999999994],
])('the beta distribution up to %d with %d and %d', (x, a, b, lower, upper) => {
  near(betaCdf(x, a, b), lower);
  near(betaSf(x, a, b), upper);
});

test('the beta distribution is that of 1 − x with its parameters swapped, and has a density', () => {
  const parameter = fc.double({ min: 0.3, max: 5000, noNaN: true });
  fc.assert(
    fc.property(parameter, parameter, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (a, b, x) => {
      const y = 1 - x;
      const tail = betaCdf(x, a, b, y);
      if (tail > 1e-290) near(betaSf(y, b, a, x), tail, 11);
      expect(tail + betaSf(x, a, b, y)).toBeCloseTo(1, 12);
      const p = Math.min(1 - 1e-9, Math.max(1e-9, x));
      // With b < 1 quantiles crowd at 1 closer than doubles can tell.
      if (b >= 1) expect(betaCdf(betaQuantile(p, a, b), a, b)).toBeCloseTo(p, 9);
    }),
  );
  near(betaDensity(0.3, 2, 3), 12 * 0.3 * 0.7 ** 2);
  expect([betaCdf(0, 2, 3), betaCdf(1, 2, 3), betaQuantile(0, 2, 3), betaQuantile(1, 2, 3)]).toEqual([0, 1, 0, 1]);
  near(betaQuantile(1e-12, 2, 3), 4.082484015750327e-7);
  near(betaQuantile(0.025, 3, 8), 0.06673951117773447);
  expect(() => betaCdf(0.5, 0, 1)).toThrow(RangeError);
  expect(() => betaCdf(1.5, 1, 1)).toThrow(RangeError);
  expect(() => betaQuantile(-0.1, 1, 1)).toThrow(RangeError);
});

// Sums of exact terms in 60-digit arithmetic.
test.each([
  [3, 20, 0.5, 0.0012884140014648438, 0.9997987747192383],
  [0, 50, 0.01, 0.6050060671375367, 1],
  [400, 1000, 0.5, 1.3642320780330092e-10, 0.9999999999099158],
  [5, 2000, 0.05, 3.1492254882405282e-37, 1],
  [17, 17, 0.3, 1, 1.291401629999999e-9],
])('%d of %d at %d: both binomial tails', (x, n, p, lower, upper) => {
  near(binomialCdf({ n, x }, p), lower, 11);
  near(binomialUpper({ n, x }, p), upper, 11);
});

// statsmodels 0.15, proportion_confint(method='beta').
test.each([
  [0, 10, 0, 0.30849710781876083],
  [3, 20, 0.0320709371854637, 0.37892682654531396],
  [7, 7, 0.5903836027749966, 1],
  [81, 263, 0.25273674558527126, 0.3676219226013514],
  [9990, 10000, 0.9981617358657894, 0.9995203602762289],
])('the exact interval of %d in %d', (x, n, lower, upper) => {
  const limits = clopperPearson({ n, x }, 0.025);
  expect(limits.lower).toBeCloseTo(lower, 12);
  expect(limits.upper).toBeCloseTo(upper, 12);
  const swapped = clopperPearson({ n, x: n - x }, 0.025);
  expect(swapped.lower).toBeCloseTo(1 - upper, 12);
});

test('exact intervals of nothing know nothing, and nonsense is refused', () => {
  expect(clopperPearson({ n: 0, x: 0 }, 0.025)).toEqual({ lower: 0, upper: 1 });
  expect(() => clopperPearson({ n: 5, x: 6 }, 0.025)).toThrow(RangeError);
  expect(() => clopperPearson({ n: 5, x: 2 }, 0.6)).toThrow(RangeError);
  expect(() => binomialCdf({ n: 5, x: 2 }, 1.1)).toThrow(RangeError);
});

// 30-digit arithmetic.
test.each([
  [0.5, 3, 2.365973884375338],
  [1e-100, 4, 471.45082032384823],
  [0.999, 10, 1.4787434638356654],
  [0.05, 1000, 1074.679448803441],
  [1e-9, 99, 207.89752083721038],
  [0.99, 2, 0.0201006717070029],
])('the inverse of a chi-square tail of %d with %d degrees of freedom', (q, df, x) => {
  near(chiSquareIsf(q, df), x, 11);
});

test('chi-square tail and inverse undo each other', () => {
  fc.assert(
    fc.property(fc.double({ min: -250, max: -0.01, noNaN: true }), fc.integer({ min: 1, max: 300 }), (exponent, df) => {
      const q = 10 ** exponent;
      near(chiSquareSf(chiSquareIsf(q, df), df), q, 10);
    }),
  );
  near(chiSquareIsf(0.05, 1), normalIsf(0.025) ** 2);
  expect(chiSquareIsf(1, 5)).toBe(0);
  expect(() => chiSquareIsf(0, 5)).toThrow(RangeError);
  expect(() => chiSquareIsf(0.5, 1.5)).toThrow(RangeError);
});
