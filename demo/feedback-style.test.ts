import { describe, expect, it } from 'vitest';
import { type FeedbackStyle, rate, wrongLabels } from './feedback-style.js';
import { createRandom } from './random.js';

const TIMES = 100_000;

function shares(right: boolean, style: FeedbackStyle) {
  const random = createRandom(5, style, String(right));
  let up = 0;
  let corrected = 0;
  for (let i = 0; i < TIMES; i++) {
    const ratings = rate({ right, truth: 'a' }, style, random, () => 'b');
    if (ratings.some((rating) => rating.kind === 'thumbs' && rating.value === 1)) up += 1;
    if (ratings.some((rating) => rating.kind === 'correction')) corrected += 1;
  }
  return { up: up / TIMES, corrected: corrected / TIMES };
}

describe('rate', () => {
  it('honest: reverses 5 % of the thumbs and corrects one in five wrong answers', () => {
    const right = shares(true, 'honest');
    const wrong = shares(false, 'honest');
    expect(right.up).toBeCloseTo(0.95, 2);
    expect(right.corrected).toBe(0);
    expect(wrong.up).toBeCloseTo(0.05, 2);
    expect(wrong.corrected).toBeCloseTo(0.2, 2);
  });

  it('honest: corrections are the truth, come last and never with a thumb up', () => {
    const random = createRandom(5);
    for (let i = 0; i < 2000; i++) {
      const ratings = rate({ right: false, truth: 'a' }, 'honest', random, () => 'b');
      if (ratings.length > 1) {
        expect(ratings).toEqual([
          { kind: 'thumbs', value: -1 },
          { kind: 'correction', value: 'a' },
        ]);
      }
    }
  });

  it('right-only: praises right answers alone and corrects nothing', () => {
    expect(shares(true, 'right-only')).toEqual({ up: 1, corrected: 0 });
    expect(shares(false, 'right-only')).toEqual({ up: 0, corrected: 0 });
  });

  it('wrong-labels: corrects every answer to a wrong label, while thumbs stay honest and have the last word', () => {
    expect(shares(true, 'wrong-labels').corrected).toBe(1);
    expect(shares(true, 'wrong-labels').up).toBeCloseTo(0.95, 2);
    const ratings = rate({ right: false, truth: 'a' }, 'wrong-labels', createRandom(1), () => 'b');
    expect(ratings.map(({ kind }) => kind)).toEqual(['correction', 'thumbs']);
    expect(ratings[0]).toEqual({ kind: 'correction', value: 'b' });
  });
});

describe('wrongLabels', () => {
  it('gives every label another one, each exactly once, by the seed', () => {
    const labels = Array.from({ length: 50 }, (_, n) => `label_${n}`);
    const wrong = wrongLabels(labels, 7);
    const given = labels.map(wrong);
    expect(new Set(given).size).toBe(50);
    for (const [n, label] of labels.entries()) expect(given[n]).not.toBe(label);
    expect(labels.map(wrongLabels(labels, 7))).toEqual(given);
    expect(labels.map(wrongLabels(labels, 8))).not.toEqual(given);
  });

  it('needs two labels', () => {
    expect(() => wrongLabels(['only', 'only'], 1)).toThrow(RangeError);
  });
});
