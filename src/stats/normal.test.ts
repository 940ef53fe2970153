import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalCdf, normalIsf, normalQuantile, normalSf, twoSidedP } from './normal.js';

const relative = (got: number, expected: number) => Math.abs(got - expected) / Math.abs(expected);

test.each([
  [0, 0.5],
  [0.3, 0.3820885778110474],
  [1.25, 0.10564977366685525],
  [2.75, 0.002979763235054557],
  [4.5, 0.0000033976731247300603],
  [11, 1.9106595744986757e-28],
  [25.5, 9.856236518963929e-144],
  [36.5, 5.544725713074845e-292],
])('the tail beyond %d is right to thirteen digits on either side', (z, tail) => {
  expect(relative(normalSf(z), tail)).toBeLessThan(1e-13);
  expect(relative(normalCdf(-z), tail)).toBeLessThan(1e-13);
  expect(twoSidedP(-z)).toBe(2 * normalSf(z));
});

test.each([
  [0.5, 0],
  [0.4, 0.2533471031357998],
  [0.2, 0.8416212335729142],
  [0.05, 1.6448536269514726],
  [0.025, 1.9599639845400543],
  [0.005, 2.575829303548901],
  [1e-9, 5.997807015007687],
  [1e-40, 13.31092137142517],
  [1e-250, 33.79958617269484],
])('the inverse of an upper tail of %d is right to thirteen digits', (p, z) => {
  expect(Math.abs(normalIsf(p) - z)).toBeLessThanOrEqual(1e-13 * z);
  expect(normalQuantile(p)).toBe(z === 0 ? 0 : -normalIsf(p));
});

test('tail and inverse undo each other from 1e-300 to one half', () => {
  fc.assert(
    fc.property(fc.double({ min: -300, max: Math.log10(0.5), noNaN: true }), (exponent) => {
      const p = 10 ** exponent;
      // A z known to one ulp knows its tail to about z² ulp.
      const allowed = 1e-15 * (10 + 2 * Math.abs(Math.log(p)));
      expect(relative(normalSf(normalIsf(p)), p)).toBeLessThan(allowed);
    }),
  );
});

test('the tail never grows with z, also where the two methods meet', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 38, noNaN: true }), (z) => {
      expect(normalSf(z + 1e-9)).toBeLessThanOrEqual(normalSf(z) * (1 + 1e-13));
    }),
  );
  expect(relative(normalSf(1.5 - 1e-15), normalSf(1.5 + 1e-15))).toBeLessThan(1e-13);
});

test('the ends of the line are handled', () => {
  expect([normalSf(Infinity), normalSf(-Infinity), normalCdf(Infinity), normalCdf(-Infinity)]).toEqual([0, 1, 1, 0]);
  expect([normalIsf(0), normalIsf(1), normalQuantile(0), normalQuantile(1)]).toEqual([
    Infinity,
    -Infinity,
    -Infinity,
    Infinity,
  ]);
  expect(normalSf(NaN)).toBeNaN();
  expect(twoSidedP(0)).toBe(1);
});

test.each([-0.1, 1.1, NaN])('%d is refused as a probability', (p) => {
  expect(() => normalIsf(p)).toThrow(RangeError);
  expect(() => normalQuantile(p)).toThrow(RangeError);
});
