import { describe, expect, it } from 'vitest';
import { isShare, primaryOf } from './metrics.js';
import { parsePolicy } from './policy.js';

function parse(experiment: object) {
  const upstream = { base_url: 'http://localhost:8901/v1', model: 'base' };
  return parsePolicy({ name: 'desk', base_model: 'tiny/base', upstream, experiment }).experiment;
}
const quality = { kind: 'score', name: 'quality', score: 'judge/quality' };

describe('metrics of a policy', () => {
  it('are none by default, and positive feedback decides', () => {
    const experiment = parse({});
    expect(experiment).toMatchObject({ primary: 'positive_feedback', metrics: [], min_effect: 0.02 });
    expect(primaryOf(experiment)).toEqual({ kind: 'positive_feedback', name: 'positive_feedback' });
    expect(isShare(primaryOf(experiment))).toBe(true);
  });

  it('are called what they are, unless they have a name', () => {
    const { metrics } = parse({ metrics: [{ kind: 'latency' }, quality, { kind: 'accuracy', field: 'a.0' }] });
    expect(metrics).toMatchObject([
      { kind: 'latency', name: 'latency' },
      { name: 'quality', better: 'higher', range: null },
      { name: 'accuracy', field: 'a.0', sources: ['reviewer', 'system'] },
    ]);
  });

  it.each([
    [{ metrics: [{ kind: 'latency' }, { kind: 'latency' }] }, /metrics: names a metric twice/],
    [{ metrics: [{ kind: 'latency', name: 'error_rate' }] }, /error_rate is a kind of metric, and cannot be/],
    [{ primary: 'quality' }, /primary: must be positive_feedback or one of metrics, not quality/],
    [{ guardrails: [{ metric: 'quality', margin: 0.1 }] }, /guardrails: must be error_rate, slow_rate or one of/],
    [{ guardrails: [{ metric: 'slow_rate', margin: 0.1 }] }, /guardrails\.0\.metric: takes a margin below 1/],
    [
      {
        guardrails: [
          { metric: 'error_rate', margin: 0.1 },
          { metric: 'error_rate', margin: 0.2 },
        ],
      },
      /metric twice/,
    ],
    [
      { metrics: [{ kind: 'composite', weights: { a: 1, b: 2 } }] },
      /composite weighs a, which is not one of the other/,
    ],
    [{ metrics: [{ kind: 'composite', weights: { a: 1 } }] }, /needs at least two metrics/],
    [{ metrics: [{ ...quality, name: 'Quality' }] }, /metrics\.0\.name: must be 1 to 64 of a-z/],
    [{ metrics: [{ ...quality, range: [1, 0] }] }, /range: must be the least and the most/],
    [{ metrics: [{ kind: 'accuracy', field: 'a..b' }] }, /field: must be keys with dots between them/],
    [{ target_effect: 5 }, /target_effect: must be below 1: it is a difference of shares/],
    [{ metrics: [quality], mode: 'bandit', primary: 'quality' }, /mode: bandit goes by positive_feedback/],
    [{ guardrails: [{ metric: 'slow_rate', max_ratio: 2 }], mode: 'bandit' }, /mode: bandit goes by/],
  ])('%o is refused', (experiment, problem) => {
    expect(() => parse(experiment)).toThrow(problem);
  });

  it('decide in a unit of their own, if they are no shares', () => {
    const given = { metrics: [{ kind: 'latency' }], primary: 'latency', min_effect: 20, target_effect: 100 };
    expect(parse(given)).toMatchObject({ target_effect: 100 });
    expect(isShare(primaryOf(parse(given)))).toBe(false);
  });

  it('that are weighed are declared beside their sum', () => {
    const overall = { kind: 'composite', name: 'overall', weights: { quality: 0.5, latency: -0.0002 } };
    expect(parse({ metrics: [overall, quality, { kind: 'latency' }], primary: 'overall' }).primary).toBe('overall');
    const nested = { kind: 'composite', name: 'more', weights: { overall: 1, quality: 1 } };
    expect(() => parse({ metrics: [overall, nested, quality, { kind: 'latency' }] })).toThrow(/more weighs overall/);
  });
});
