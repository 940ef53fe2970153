import { expect, test } from 'vitest';
import { judgeGuardrail } from './guardrails.js';

test('an error rate is shown to be harmless only by enough requests', () => {
  const guardrail = { metric: 'error_rate', margin: 0.01 } as const;
  const judged = (requests: number, errors: number) =>
    judgeGuardrail(guardrail, { requests: 9 * requests, errors: 0 }, { requests, errors }, 0.1);
  expect(judged(100, 0)).toMatchObject({ shown: false, tripped: false, delta: 0 });
  // One-sided 95 %: 1.645²/(n + 1.645²) falls below 0.01 between 267 and 268.
  expect(judged(267, 0)).toMatchObject({ shown: false });
  expect(judged(268, 0)).toMatchObject({ shown: true });
  expect(judged(1000, 0)).toMatchObject({ shown: true, tripped: false });
  expect(judged(1000, 10)).toMatchObject({ shown: false, tripped: false });
  expect(judged(1000, 100)).toMatchObject({ shown: false, tripped: true });
  expect(judgeGuardrail(guardrail, { requests: 0, errors: 0 }, { requests: 0, errors: 0 }, 0.1)).toMatchObject({
    ...{ shown: false, tripped: false, delta: null, lower: null, upper: 1 },
  });
});

test('an error rate that is certainly worse, but not by more than the margin, does not trip', () => {
  const champion = { requests: 90_000, errors: 900 };
  const judged = (errors: number) =>
    judgeGuardrail({ metric: 'error_rate', margin: 0.01 }, champion, { requests: 10_000, errors }, 0.1);
  expect(judged(220).lower as number).toBeGreaterThan(0);
  expect(judged(220)).toMatchObject({ tripped: false, shown: false });
  expect(judged(300)).toMatchObject({ tripped: true, shown: false });
});

test('slow answers are shown to be few by a count of them, and never without one', () => {
  const guardrail = { metric: 'slow_rate', maxRatio: 1.5 } as const;
  const champion = { requests: 9000, errors: 0, slow: 90 };
  const judged = (slow?: number) =>
    judgeGuardrail(guardrail, champion, { requests: 1000, errors: 0, ...(slow === undefined ? {} : { slow }) }, 0.1);
  expect(judged(30)).toMatchObject({ shown: true, tripped: false, limit: 0.05 });
  expect(judged(45)).toMatchObject({ shown: false, tripped: false });
  expect(judged()).toMatchObject({ shown: false, tripped: false });
});
