import { expect, it } from 'vitest';
import { createCircuits } from './circuits.js';

function failing(times: number) {
  let now = 0;
  const circuits = createCircuits(() => now);
  for (let n = 0; n < times; n++) circuits.record('a', false);
  return {
    circuits,
    wait: (ms: number) => {
      now += ms;
    },
  };
}

it('an address is asked until it has failed five times in a row', () => {
  const { circuits } = failing(4);
  expect(circuits.allows('a')).toBe(true);
  circuits.record('a', true);
  for (let n = 0; n < 4; n++) circuits.record('a', false);
  expect(circuits.allows('a')).toBe(true);
  circuits.record('a', false);
  expect(circuits.allows('a')).toBe(false);
  expect(circuits.allows('b')).toBe(true);
});

it('after its rest one request may try, and the others wait for what comes of it', () => {
  const { circuits, wait } = failing(5);
  wait(4_999);
  expect(circuits.allows('a')).toBe(false);
  wait(1);
  expect([circuits.allows('a'), circuits.allows('a')]).toEqual([true, false]);
  circuits.record('a', true);
  expect([circuits.allows('a'), circuits.allows('a')]).toEqual([true, true]);
});

it('a try that fails, or of which nothing is heard, costs another rest', () => {
  const { circuits, wait } = failing(5);
  wait(5_000);
  circuits.allows('a');
  circuits.record('a', false);
  wait(4_999);
  expect(circuits.allows('a')).toBe(false);
  wait(1);
  expect(circuits.allows('a')).toBe(true);
  wait(5_000);
  expect(circuits.allows('a')).toBe(true);
});
