import { expect, test } from 'vitest';
import { digestOf, type Policy, type PolicyDocument, parsePolicy } from '../policy/index.js';
import { type ArmSums, checkArmSums, seededRandom, sumArm, sumMetrics } from '../stats/index.js';
import { decideAtLook } from './decide.js';
import { type Experiment, ruleOf } from './experiment.js';
import { digestOfLook, type LookRow, lookRow } from './look-row.js';
import { lookTimes } from './look-times.js';
import type { MeasuredArm } from './metric-sums-sql.js';
import { toPastLook } from './past-looks.js';
import { digestOfCut } from './read-cut.js';
import { verifyLook } from './verify-look.js';

const START = Date.UTC(2026, 10, 1);
type Random = ReturnType<typeof seededRandom>;

function experimentOf(
  test: Policy['experiment']['test'],
  prior: Experiment['prior'],
  more: Partial<PolicyDocument['experiment']> = {},
): Experiment {
  const policy = parsePolicy({
    ...{ name: 'm', base_model: 'b', upstream: { base_url: 'http://127.0.0.1:9', model: 'b' } },
    experiment: { test, min_samples_per_arm: 60, min_subjects_per_arm: 20, ...more },
  });
  const { experiment, promotion, curation } = policy;
  return {
    ...{ id: '00000000-0000-8000-8000-000000000001', model: 'm', cycleId: 'c', kind: 'ab', champion: 1, challenger: 2 },
    settings: { experiment, promotion, min_rating: curation.min_rating },
    ...{ share: experiment.share, policyDigest: digestOf(policy), sandbox: false, prior },
    startedAt: new Date(START),
    minEndsAt: new Date(START + experiment.min_duration),
    maxEndsAt: new Date(START + experiment.max_duration),
    ...{ endedAt: null, decision: null, reason: null },
  };
}

/** `people` more subjects of an arm, who differ from each other and ask and rate 1 to 6 times. */
function grow(sums: ArmSums, random: Random, people: number, p: number, errors: number): ArmSums {
  const next = { ...sums } as Record<keyof ArmSums, number>;
  for (let s = 0; s < people; s++) {
    const own = p + (random() < 0.5 ? 0.12 : -0.12);
    const e = 1 + Math.floor(random() * 6);
    let [m, x] = [0, 0];
    for (let i = 0; i < e; i++) {
      if (random() > 0.5) continue;
      m += 1;
      if (random() < own) x += 1;
    }
    next.O += 1;
    next.S += 1;
    next.N += m > 0 ? 1 : 0;
    next.E += e;
    next.n += m;
    next.x += x;
    next.m2 += m * m;
    next.x2 += x * x;
    next.xm += x * m;
    next.e2 += e * e;
    next.em += e * m;
    next.requests += e;
    for (let i = 0; i < e; i++) next.errors += random() < errors ? 1 : 0;
  }
  return checkArmSums(next as unknown as ArmSums);
}

const NOBODY: ArmSums = {
  ...{ O: 0, S: 0, N: 0, E: 0, n: 0, x: 0, m2: 0, x2: 0, xm: 0, e2: 0, em: 0, requests: 0, errors: 0 },
};

/** One experiment from its start to its end, look by look, as it would be stored. */
function simulate(seed: number): { experiment: Experiment; looks: LookRow[] } {
  const random = seededRandom(seed);
  const experiment = experimentOf(seed % 3 === 0 ? 'fixed' : 'group_sequential', { p0: 0.8, D0: 1 + random() });
  const settings = ruleOf(experiment);
  const effect = [-0.25, 0, 0.03, 0.08][seed % 4]!;
  const pace = [4, 30, 120, 400][Math.floor(random() * 4)]!;
  const errors = seed % 7 === 0 ? 0.1 : 0;
  let [champion, challenger] = [NOBODY, NOBODY];
  const looks: LookRow[] = [];
  for (const [i, at] of lookTimes(settings, START).entries()) {
    // Now and then nobody comes between two looks.
    const people = random() < 0.15 ? 0 : pace;
    champion = grow(champion, random, 9 * people, 0.8, 0);
    challenger = grow(challenger, random, people, 0.8 + effect, errors);
    const crossed = seed % 11 === 0 ? Math.ceil(0.02 * (champion.O + challenger.O)) : 0;
    const asOf = new Date(at + Math.floor(random() * 5_000));
    const past = looks.filter(({ tested }) => tested).map(toPastLook);
    const look = {
      ...{ settings, startedAt: START, asOf: asOf.getTime(), last: at === START + settings.maxDurationMs },
      ...{ champion, challenger, crossed, prior: experiment.prior },
      ...(settings.test === 'group_sequential' && { past }),
    };
    const cut = { experiment: experiment.id, asOf: asOf.toISOString(), champion, second: challenger, crossed };
    const facts = { experimentId: experiment.id, k: i + 1, policyDigest: experiment.policyDigest };
    const row = lookRow({ ...facts, cutDigest: digestOf(cut) }, look, decideAtLook(look));
    looks.push(throughStorage(row));
    if (row.decision !== 'wait') break;
  }
  return { experiment, looks };
}

/** What Postgres gives back: JSON without what is undefined. */
function throughStorage(row: LookRow): LookRow {
  return { ...(JSON.parse(JSON.stringify(row)) as LookRow), takenAt: row.takenAt };
}

/** Every value that is not an object, by its path. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (value === null || typeof value !== 'object' || value instanceof Date) return [path];
  const entries = Object.entries(value);
  return entries.length === 0 ? [] : entries.flatMap(([name, inner]) => leaves(inner, [...path, name]));
}

function forged(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value + 1 : value * (1 + 1e-6);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return `${value.slice(0, -1)}${value.endsWith('e') ? 'f' : 'e'}`;
  if (value instanceof Date) return new Date(value.getTime() + 1);
  return 0.5;
}

function forge(row: LookRow, path: string[]): LookRow {
  const copy = { ...structuredClone(row) };
  let holder = copy as unknown as Record<string, unknown>;
  for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
  const last = path.at(-1)!;
  holder[last] = forged(holder[last]);
  return copy;
}

test('every stored decision of simulated experiments is accepted', () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const { experiment, looks } = simulate(seed);
    for (const look of looks) {
      expect(verifyLook(look, experiment, looks), `seed ${seed} look ${look.k}`).toEqual([]);
      seen.add(`${look.decision} ${look.reason}`);
    }
  }
  for (const kind of [
    'promote significant',
    'reject harm',
    'reject guardrail',
    'inconclusive max_duration',
    'inconclusive blocked',
    'inconclusive not_enough_data',
    'wait evidence',
    'wait floors',
    'wait information',
    'wait blocked',
  ])
    expect(seen).toContain(kind);
});

test('every single field that is forged is found, by the digest and without it', { timeout: 120_000 }, () => {
  let forgeries = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const { experiment, looks } = simulate(seed);
    for (const [i, look] of looks.entries()) {
      const { digest: _digest, ...rest } = look;
      for (const path of leaves(rest)) {
        const bad = forge(look, path);
        // A look's column also stands in the past of later looks: it must be found in its own row.
        const among = looks.with(i, bad);
        const found = verifyLook({ ...bad, digest: null }, experiment, among);
        expect(found.length, `seed ${seed}, look ${look.k}: ${path.join('.')}`).toBeGreaterThan(0);
        forgeries += 1;
      }
      expect(verifyLook({ ...look, digest: 'f'.repeat(64) }, experiment, looks)).toMatchObject([{ field: 'digest' }]);
      expect(digestOfLook(forge(look, ['z']))).not.toBe(look.digest);
    }
  }
  expect(forgeries).toBeGreaterThan(1_500);
});

test('the field that was forged is named, with what it has to be', () => {
  const { experiment, looks } = simulate(2);
  const [look] = looks as [LookRow];
  expect(verifyLook({ ...look, z: (look.z as number) + 1 }, experiment, looks)).toMatchObject([
    { field: 'z', stored: (look.z as number) + 1, expected: look.z },
    { field: 'digest' },
  ]);
  expect(verifyLook({ ...look, champion: { ...(look.champion as object), x: 1e9 } }, experiment, looks)).toContainEqual(
    expect.objectContaining({ field: 'evidence.input', expected: expect.stringMatching(/cannot have x/) }),
  );
});

/** Two looks at an experiment with metrics: one of them, no share, decides; another and the slow requests are guarded. */
function simulateMetrics(): { experiment: Experiment; looks: LookRow[] } {
  const experiment = experimentOf(
    'group_sequential',
    { p0: 0.5, D0: 0.04 },
    {
      primary: 'overall',
      metrics: [
        { kind: 'score', name: 'quality', score: 'quality' },
        { kind: 'latency' },
        { kind: 'cost_per_answer', prompt_per_million: 1, completion_per_million: 1 },
        { kind: 'composite', name: 'overall', weights: { quality: 1, latency: -0.001 } },
      ],
      guardrails: [
        { metric: 'latency', margin: 50 },
        { metric: 'slow_rate', max_ratio: 2 },
      ],
    },
  );
  experiment.settings.slow_limit_ms = 250;
  const random = seededRandom(3);
  const settings = ruleOf(experiment);
  const looks: LookRow[] = [];
  const arms = [0, 0.05].map((better) => ({ better, subjects: [] as { x: number; m: number }[][] }));
  for (const [i, at] of lookTimes(settings, START).slice(0, 2).entries()) {
    const [champion, challenger] = arms.map(({ better, subjects }) => {
      for (let s = 0; s < (better > 0 ? 60 : 540); s++) {
        const m = 1 + Math.floor(random() * 3);
        subjects.push([
          { m, x: m * (0.5 + better + 0.3 * (random() - 0.5)) },
          { m, x: m * (200 + 20 * random()) },
          { m: 0, x: 0 },
        ]);
      }
      const n = subjects.reduce((sum, [quality]) => sum + quality!.m, 0);
      const counted = { n, subjects: subjects.length };
      return {
        sums: sumArm(
          subjects.map(([quality]) => ({ e: quality!.m, m: quality!.m, x: 0 })),
          { requests: n, slow: 1 },
        ),
        measured: { ...sumMetrics(subjects), measured: [counted, counted, { n: 0, subjects: 0 }] },
      };
    }) as unknown as [Drawn, Drawn];
    const asOf = new Date(at);
    const measured = {
      names: ['quality', 'latency', 'cost_per_answer'],
      champion: champion.measured,
      challenger: challenger.measured,
    };
    const sums = { champion: champion.sums, crossed: 0, measured, slowLimitMs: 250 };
    const look = {
      ...{ settings, startedAt: START, asOf: at, last: false, prior: experiment.prior },
      ...{ ...sums, challenger: challenger.sums },
      past: looks.filter(({ tested }) => tested).map(toPastLook),
    };
    const cutDigest = digestOfCut(experiment.id, asOf, { ...sums, second: challenger.sums });
    const facts = { experimentId: experiment.id, k: i + 1, policyDigest: experiment.policyDigest, cutDigest };
    looks.push(throughStorage(lookRow(facts, look, decideAtLook(look))));
  }
  return { experiment, looks };
}

type Drawn = { sums: ArmSums; measured: MeasuredArm };

test('a look with metrics is accepted, and every field of it that is forged is found without the digest of the row', () => {
  const { experiment, looks } = simulateMetrics();
  expect(looks.map(({ tested }) => tested)).toEqual([true, true]);
  expect(looks[0]!.evidence).toMatchObject({
    figures: {
      metrics: [
        { name: 'quality' },
        { name: 'latency' },
        { name: 'cost_per_answer', delta: null },
        { name: 'overall' },
      ],
      harm: {
        tested: true,
        guardrails: [
          { metric: 'latency', shown: true },
          { metric: 'slow_rate', limit: 0.05 },
        ],
      },
    },
  });
  for (const look of looks) expect(verifyLook(look, experiment, looks)).toEqual([]);
  const [look] = looks as [LookRow];
  const { digest: _digest, ...rest } = look;
  const paths = leaves(rest);
  expect(paths.length).toBeGreaterThan(200);
  for (const path of paths) {
    const bad = { ...forge(look, path), digest: null };
    expect(verifyLook(bad, experiment, [bad, ...looks.slice(1)]).length, path.join('.')).toBeGreaterThan(0);
  }
});
