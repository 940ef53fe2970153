import { expect, test } from 'vitest';
import { isRight } from './grade.js';

test.each([
  ['card_arrival', 'card_arrival', true],
  ['  Card  Arrival\n', 'card arrival', true],
  ['card arrival.', 'card arrival', false],
  ['', 'card arrival', false],
  [null, 'card arrival', false],
])('%j for %j is right: %s', (answer, right, expected) => {
  expect(isRight(answer, right)).toBe(expected);
});
