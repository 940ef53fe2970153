import { describe, expect, it } from 'vitest';
import { buildResult, type DemoFacts, demoResultSchema } from './result.js';

const cycle = (outcome: string | null, reason: string | null) => ({
  workflow_id: 'retraining-cycle-support-desk',
  run_id: 'r-1',
  outcome,
  reason,
  phases: [{ name: 'collecting', seconds: 0.4 }],
  history_events: 90,
  history_bytes: 60_000,
});
const facts = (scenario: DemoFacts['scenario'], end: string | null, after: number, more: Partial<DemoFacts> = {}) => {
  const [outcome = null, reason = null] = end?.split(': ') ?? [];
  return {
    scenario,
    seed: 7,
    requests: 100,
    failed_requests: 0,
    seconds: 12.5,
    cycle: cycle(outcome, reason),
    champion_before: 1,
    champion_after: after,
    ...more,
  };
};

describe('buildResult', () => {
  it('makes parts that were not reached null and has all fields of the document', () => {
    const result = buildResult({ scenario: 'better', seed: 7, requests: 0, failed_requests: 0, seconds: 1 });
    expect(result).toEqual({
      ok: false,
      scenario: 'better',
      seed: 7,
      cycle: null,
      dataset: null,
      training: null,
      evaluation: null,
      experiment: null,
      champion_before: null,
      champion_after: null,
      requests: 0,
      failed_requests: 0,
      seconds: 1,
    });
    expect(demoResultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
  });

  it.each([
    ['better', 'promoted: significant', 2, false, true],
    ['better', 'promoted: significant', 1, false, false],
    ['better', 'promoted: forced', 2, false, false],
    ['better', 'rejected: evaluation', 1, false, false],
    ['better', null, 1, false, false],
    ['no-better', 'rejected: no_improvement', 1, false, true],
    ['no-better', 'inconclusive: max_duration', 1, false, true],
    ['no-better', 'inconclusive: not_enough_data', 1, false, false],
    ['no-better', 'rejected: evaluation', 1, false, false],
    ['no-better', 'promoted: significant', 2, false, false],
    ['harmful', 'rejected: evaluation', 1, false, true],
    ['harmful', 'rejected: harm', 1, false, false],
    ['harmful', 'rejected: harm', 1, true, true],
    ['harmful', 'rejected: guardrail', 1, true, true],
    ['harmful', 'rejected: evaluation', 1, true, false],
    ['harmful', 'rejected: harm', 2, true, false],
    ['rollback', 'rolled_back: operator', 1, false, true],
    ['rollback', 'rolled_back: bake_harm', 1, false, false],
    ['rollback', 'rolled_back: operator', 2, false, false],
  ] as const)(
    '%s that ended %s with version %d in charge (no evaluation: %s) is ok: %s',
    (name, end, after, skip, ok) => {
      expect(buildResult({ ...facts(name, end, after), skipEvaluation: skip }).ok).toBe(ok);
    },
  );

  it('keeps an A/B test that could not be tested as null figures', () => {
    const experiment = {
      champion: { n: 0, x: 0 },
      challenger: { n: 0, x: 0 },
      z: null,
      p: null,
      interval: null,
      decision: null,
    };
    expect(buildResult(facts('better', null, 1, { experiment })).experiment).toEqual(experiment);
  });

  it('refuses figures that cannot be', () => {
    expect(() => buildResult({ ...facts('better', null, 1), requests: -1 })).toThrow();
    expect(() => buildResult({ ...facts('better', null, 1), seconds: Number.NaN })).toThrow();
    expect(() => buildResult({ ...facts('better', null, 1), surprise: 1 } as unknown as DemoFacts)).toThrow();
  });
});
