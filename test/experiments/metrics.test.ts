import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { compareMetric } from '../../src/experiments/compare-metric.js';
import type { Experiment } from '../../src/experiments/experiment.js';
import { ruleOfMetric } from '../../src/experiments/metric-rules.js';
import { readMeasured, readOutcomes } from '../../src/experiments/read-cut.js';
import { type PolicyDocument, parsePolicy } from '../../src/policy/index.js';
import { useTestDatabase } from '../support/database.js';
import {
  at,
  insertExposures,
  insertFeedback,
  insertInteractions,
  quickPolicy,
  type SeededFeedback,
  type SeededInteraction,
  subjectOf,
  uuid7,
} from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

type Declared = NonNullable<NonNullable<PolicyDocument['experiment']>['metrics']>;
/** What is said about an interaction: kind, body, and where it matters seconds and source. */
type Said = [kind: string, body: object, more?: Partial<SeededFeedback> & { seconds?: number }];

/** An experiment, as far as its metrics are concerned, with interactions of the challenger's subjects a, b, … */
async function world(
  metrics: Declared,
  asked: (Partial<SeededInteraction> & { by?: string; said?: Said[] })[],
  limits = {},
) {
  const { experiment: section } = quickPolicy('m');
  const { experiment, promotion, curation } = parsePolicy(
    quickPolicy('m', { experiment: { ...section, metrics, primary: metrics[0]!.name ?? metrics[0]!.kind } }),
  );
  const id = randomUUID();
  const settings = { experiment, promotion, min_rating: curation.min_rating, slow_limits_ms: limits };
  const live = { id, kind: 'ab', settings } as unknown as Experiment;
  const people = [...new Set(asked.map(({ by = 'a' }) => by))];
  await insertExposures(
    db,
    people.map((name) => ({ experimentId: id, subject: subjectOf(name), arm: 'challenger', exposedAt: at(0) })),
  );
  for (const { by = 'a', said = [], ...interaction } of asked) {
    const row = { model: 'm', experimentId: id, arm: 'challenger' as const, subject: subjectOf(by), askedAt: at(1) };
    const interactionId = uuid7(at(1));
    await insertInteractions(db, [{ ...row, version: 2, ...interaction, id: interactionId }]);
    await insertFeedback(
      db,
      said.map(([kind, body, { seconds = 2, ...more } = {}]) => ({
        ...{ interactionId, kind, body, receivedAt: at(seconds), ...more },
      })),
    );
  }
  const measured = await readMeasured(db, live, at(60), 0);
  const { second } = await readOutcomes(db, live, at(60), 0);
  const value = (name: string) => {
    const j = measured.names.indexOf(name);
    const { references, totals, measured: counted } = measured.challenger;
    const m = totals[2 * j + 1]!;
    return {
      n: counted[j]!.n,
      subjects: counted[j]!.subjects,
      value: m === 0 ? null : references[j]! + totals[2 * j]! / m,
    };
  };
  return { measured, value, outcomes: second };
}

const about = (n: number, value: number | null, subjects = 1) => ({
  n,
  subjects,
  value: value === null ? null : expect.closeTo(value, 9),
});

describe('what a metric is of an interaction', () => {
  it('is a mean of what was measured; where nothing was, it is unknown and not zero', async () => {
    const { value } = await world(
      [{ kind: 'latency' }, { kind: 'cost_per_answer', prompt_per_million: 2, completion_per_million: 10 }],
      [{ latencyMs: 100 }, { latencyMs: 300 }, { latencyMs: null }],
    );
    expect(value('latency')).toEqual(about(2, 200));
    expect(value('cost_per_answer')).toEqual(about(0, null, 0));
  });

  it('costs tokens times prices, by the version that answered', async () => {
    const versions = { '3': { prompt_per_million: 0, completion_per_million: 100 } };
    const { value } = await world(
      [{ kind: 'cost_per_answer', prompt_per_million: 2, completion_per_million: 10, versions }],
      [{ tokens: [1_000, 500] }, { tokens: [1_000, 500], version: 3 }, { tokens: [0, 0], version: 1 }],
    );
    expect(value('cost_per_answer')).toEqual(about(3, (0.007 + 0.05 + 0) / 3));
  });

  it('is the latest score of its name that was not taken back, from anybody', async () => {
    const score = (name: string, value: number, more = {}): Said => ['score', { name, value }, more];
    const { value, outcomes } = await world(
      [{ kind: 'score', name: 'helpful', score: 'judge/helpful' }],
      [
        { said: [score('judge/helpful', 0.2), score('judge/helpful', 0.9, { seconds: 3 })] },
        {
          said: [score('judge/helpful', 0.5), score('judge/helpful', 0.1, { seconds: 3, retractedAt: at(4) })],
          by: 'b',
        },
        { said: [score('other', 1)] },
        { said: [score('judge/helpful', 1, { seconds: 61 })] },
      ],
    );
    expect(value('helpful')).toEqual(about(2, 0.7, 2));
    // A metric that is no share is only counted in the sums of an arm.
    expect(outcomes).toMatchObject({ E: 4, n: 2, x: 0, N: 2 });
  });

  it('is corrected when somebody said something else, among all that were answered', async () => {
    const correction = (value: string): Said => ['correction', { value }];
    const { value, outcomes } = await world(
      [{ kind: 'correction_rate' }],
      [
        { answer: 'blue', said: [correction('red'), ['thumbs', { value: 1 }, { seconds: 9 }]] },
        { answer: 'blue', said: [correction(' blue\n')] },
        { answer: 'blue' },
        { answer: 'blue' },
      ],
    );
    expect(value('correction_rate')).toEqual(about(4, 0.25));
    // As a primary metric it counts what is good.
    expect(outcomes).toMatchObject({ E: 4, n: 4, x: 3 });
  });

  it('failed, or was slow', async () => {
    const { value, outcomes } = await world(
      [{ kind: 'error_rate' }, { kind: 'slow_rate' }, { kind: 'slow_rate', name: 'unknown' }],
      [
        { status: 'failed', latencyMs: 9_000 },
        { fallBack: true, latencyMs: 100 },
        { latencyMs: 101 },
        { latencyMs: null },
      ],
      { slow_rate: 100, unknown: null },
    );
    expect(value('error_rate')).toEqual(about(4, 0.5));
    expect(value('slow_rate')).toEqual(about(3, 2 / 3));
    expect(value('unknown')).toEqual(about(0, null, 0));
    expect(outcomes).toMatchObject({ n: 4, x: 2 });
  });

  it('is right by the latest truth of those who know it', async () => {
    const truth = (value: string, more: Said[2] = {}): Said => [
      'correction',
      { value },
      { source: 'reviewer', ...more },
    ];
    const { value, outcomes } = await world(
      [{ kind: 'accuracy' }, { kind: 'accuracy', name: 'crm', sources: ['crm'] }],
      [
        { answer: 'blue', said: [truth('red'), truth(' blue ', { seconds: 3 })] },
        { answer: 'blue', said: [truth('red', { source: 'system' })] },
        { answer: 'blue', said: [truth('red', { source: 'user' })] },
        { answer: 'blue', said: [truth('blue', { source: 'crm' })] },
      ],
    );
    expect(value('accuracy')).toEqual(about(2, 0.5));
    expect(value('crm')).toEqual(about(1, 1));
    expect(outcomes).toMatchObject({ n: 2, x: 1 });
  });

  it('is right in a field of the JSON, whatever else is in it', async () => {
    const truth = (value: unknown): Said => [
      'correction',
      { value: typeof value === 'string' ? value : JSON.stringify(value) },
      { source: 'system' },
    ];
    const asked = [
      { answer: '{"order": {"id": 7, "x": 1}}', said: [truth({ order: { id: 7.0 } })] },
      { answer: '{"order": {"id": "7"}}', said: [truth({ order: { id: 7 } })] },
      { answer: 'order 7', said: [truth({ order: { id: 7 } })] },
      { answer: '{"order": {"id": 7}}', said: [truth('no JSON')] },
      { answer: '{"order": {"id": 7}}', said: [truth({ order: {} })] },
      { answer: '{"order": {}}', said: [truth({ order: { id: null } })] },
    ];
    const { value } = await world(
      [
        { kind: 'accuracy', field: 'order.id' },
        { kind: 'f1', field: 'order.id' },
      ],
      asked,
    );
    expect(value('accuracy')).toEqual(about(3, 1 / 3));
    // Right once; given three times (one text is no JSON), true three times.
    const { n, value: f1 } = value('f1');
    expect([n, f1]).toEqual([4, expect.closeTo((2 * 1) / (3 + 3), 9)]);
  });

  it('is counted for its subject, and not for one who was in both arms', async () => {
    const { measured } = await world(
      [{ kind: 'latency' }],
      [
        { latencyMs: 1, by: 'a' },
        { latencyMs: 3, by: 'a' },
        { latencyMs: 8, by: 'b' },
        { latencyMs: 999, by: 'c' },
        { latencyMs: 999, by: 'c', arm: 'champion' },
      ],
    );
    expect(measured.challenger).toMatchObject({ N: 2, references: [4], measured: [{ n: 3, subjects: 2 }] });
    // Around the mean 4: a has 4 − 2·4 = −4 of two, b 8 − 4 = 4 of one.
    expect(measured.challenger.totals).toEqual([0, 3]);
    expect(measured.challenger.products).toEqual([32, -4, -4, 5]);
    expect(measured.champion).toMatchObject({ N: 0, totals: [0, 0], measured: [{ n: 0, subjects: 0 }] });
    expect(compareMetric(measured, ruleOfMetric({ kind: 'latency', name: 'latency' }))).toMatchObject({
      tested: false,
      delta: null,
      challenger: { value: 4 },
    });
  });
});
