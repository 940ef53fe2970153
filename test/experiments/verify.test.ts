import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  endExperiment,
  extendExperiment,
  promote,
  readExperiment,
  startExperiment,
  takeLook,
  verifyExperiments,
} from '../../src/experiments/index.js';
import { changeRoute, verifyChain } from '../../src/routing/index.js';
import { useTestDatabase } from '../support/database.js';
import { at, fillArm, routeChanges, seedCycle, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

/** An experiment of two looks: undecided at the first, at the second a promotion, or an end without one. */
async function ended(better: boolean) {
  const model = await seedModel(db);
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  if (facts.routeChanged) throw new Error('the route was changed');
  const { experimentId } = facts;
  const arms = (people: number, first: number, challenger: number) =>
    Promise.all(
      (['champion', 'challenger'] as const).map((arm, i) =>
        fillArm(db, {
          ...{ model, experimentId, arm, version: i + 1, subjects: people, from: at(first) },
          positives: Math.round((arm === 'champion' ? 0.5 : challenger) * people * 5),
        }),
      ),
    );
  await arms(30, 1, 0.55);
  const first = await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });
  expect(first).toMatchObject({ decision: 'wait', reason: 'evidence', tested: true });
  return { model, cycleId, experimentId, first, better };
}

/** Runs statements as somebody who may do anything to the database, with no trigger in the way. */
async function forge(...statements: string[]): Promise<void> {
  const client = await db.pool.connect();
  try {
    await client.query(`BEGIN; SET LOCAL session_replication_role = replica; ${statements.join('; ')}; COMMIT`);
  } finally {
    client.release();
  }
}

async function misfits(model: string): Promise<string[]> {
  const experiments = await verifyExperiments(db, model);
  return experiments.flatMap(({ misfits }) => misfits.map(({ look, field }) => `${look ?? ''} ${field}`));
}

describe('what was decided', () => {
  it('is made again from its rows and fits, from the first look to the promotion', async () => {
    const { model, experimentId, first } = await ended(true);
    const second = await takeLook(db, { experimentId, k: 2, asOf: at(120), isLast: false });
    // Nobody came in between: recorded, not tested, and with the boundary of the look before.
    expect(second).toMatchObject({ decision: 'wait', reason: 'information', tested: false, boundary: first.boundary });
    const last = await takeLook(db, { experimentId, k: 3, asOf: at(180), isLast: true });
    expect(last).toMatchObject({ decision: 'inconclusive', reason: 'max_duration' });
    expect(last.estimate!.interval[0]).toBeLessThan(last.estimate!.median);
    const forced = { experimentId, expectedEpoch: 2, actor: 'alice', reason: 'because', forced: true, asOf: at(181) };
    await promote(db, forced);
    expect(await verifyExperiments(db, model)).toMatchObject([
      { id: experimentId, kind: 'ab', looks: 3, misfits: [] },
      { kind: 'bake', looks: 0, misfits: [] },
    ]);
    expect(await verifyChain(db, model)).toEqual({ checked: 3, broken: [] });
    const [, started, promoted] = await routeChanges(db, model);
    expect(started!.evidence).toMatchObject({ test: 'group_sequential', boundary: expect.any(Number) });
    expect((started!.evidence as { boundaries: number[] }).boundaries).toHaveLength(3);
    expect(promoted!.evidence).toMatchObject({ look: 3, boundary: first.boundary, alpha_spent: expect.any(Number) });
  });

  it('fits also when it was extended before its last look: the rule stays, the last look comes later', async () => {
    const { model, experimentId, first } = await ended(true);
    const planned = (await readExperiment(db, experimentId)).maxEndsAt;
    const looks = [await takeLook(db, { experimentId, k: 2, asOf: at(120), isLast: false })];
    const request = { experimentId, byMs: 90_000, actor: 'ada', reason: 'a holiday', requestId: 'x-1' };
    const extended = await extendExperiment(db, { ...request, asOf: at(130) });
    expect(extended).toEqual({ epoch: 3, maxEndsAt: at(270).toISOString() });
    // The same request again, late: nothing happens twice.
    expect(await extendExperiment(db, { ...request, asOf: at(140) })).toEqual(extended);
    for (const [k, seconds] of [
      [3, 180],
      [4, 240],
    ] as const)
      looks.push(await takeLook(db, { experimentId, k, asOf: at(seconds), isLast: false }));
    // Too little came since the first look: recorded, and nothing is spent, also at the end that was planned.
    expect(looks.map(({ decision, reason }) => [decision, reason])).toEqual(Array(3).fill(['wait', 'information']));
    const last = await takeLook(db, { experimentId, k: 5, asOf: at(270), isLast: true });
    expect(last).toMatchObject({ decision: 'inconclusive', reason: 'max_duration', boundary: first.boundary });
    await expect(extendExperiment(db, { ...request, requestId: 'x-2', asOf: at(270) })).rejects.toMatchObject({
      code: 'conflict',
    });
    const end = { experimentId, decision: 'inconclusive', reason: 'max_duration', actor: 'cycle', asOf: at(270) };
    await endExperiment(db, end);
    const rows = await db.prisma.look.findMany({ where: { experimentId }, orderBy: { k: 'asc' } });
    expect(new Set(rows.map(({ iMax }) => iMax)).size).toBe(1);
    expect(await misfits(model)).toEqual([]);
    expect(await verifyChain(db, model)).toEqual({ checked: 4, broken: [] });
    const changes = await routeChanges(db, model);
    expect(changes[2]).toMatchObject({
      action: 'extend_experiment',
      actor: 'ada',
      evidence: { by_ms: 90_000, from: planned.toISOString(), to: at(270).toISOString(), i_max: rows[0]!.iMax },
    });
  });

  it('an extension that no route change knows of is found, and so is one that was taken out', async () => {
    const { model, experimentId } = await ended(true);
    const request = { experimentId, byMs: 90_000, actor: 'ada', reason: 'a holiday', requestId: 'x-1' };
    await extendExperiment(db, { ...request, asOf: at(130) });
    await takeLook(db, { experimentId, k: 4, asOf: at(240), isLast: false });
    expect(await misfits(model)).toEqual([]);
    await forge(`UPDATE experiments SET max_ends_at = max_ends_at + interval '1 h' WHERE id = '${experimentId}'`);
    expect(await misfits(model)).toContain(' max_ends_at');
    await forge(
      `UPDATE route_changes SET evidence = evidence || '{"by_ms": 1}' WHERE model = '${model}' AND epoch = 3`,
    );
    expect(await misfits(model)).toContain('4 evidence.input.last');
    expect((await verifyChain(db, model)).broken).toMatchObject([{ epoch: 3 }]);
  });

  it.each([
    ['looks SET z = z + 0.01', '1 z'],
    ['looks SET boundary = 1.96', '1 boundary'],
    ['looks SET alpha_spent = 0', '1 alpha_spent'],
    [`looks SET champion = champion || '{"x": 1}'`, '1 cut_digest'],
    ["looks SET decision = 'promote'", '1 decision'],
    ["looks SET taken_at = taken_at + interval '1 s'", '1 evidence.input.asOf'],
    ["looks SET digest = ''", '1 digest'],
    ['looks SET crossed = 1', '1 evidence.figures.crossedShare'],
  ])('%s is found', async (change, field) => {
    const { model, experimentId } = await ended(false);
    expect(await misfits(model)).toEqual([]);
    await forge(`UPDATE ${change} WHERE experiment_id = '${experimentId}'`);
    expect(await misfits(model)).toContain(field);
  });

  it.each([
    ["settings = jsonb_set(settings, '{experiment,alpha}', '0.2')", ' terms'],
    ['share = 0.4', ' terms'],
    ['i0 = i0 + 1', ' i0'],
    ["max_ends_at = max_ends_at + interval '1 h'", ' max_ends_at'],
    ["ended_at = now(), decision = 'promote', reason = 'significant'", ' decision'],
  ])('an experiment with %s is found', async (change, field) => {
    const { model, experimentId } = await ended(false);
    const end = { experimentId, decision: 'inconclusive', reason: 'max_duration', actor: 'cycle', asOf: at(180) };
    await endExperiment(db, end);
    expect(await misfits(model)).toEqual([]);
    await forge(`UPDATE experiments SET ${change} WHERE id = '${experimentId}'`);
    expect(await misfits(model)).toContain(field);
  });

  it('a look that was taken away after the route change that cites it is missed', async () => {
    const { model, experimentId } = await ended(false);
    await endExperiment(db, { experimentId, decision: 'undone', reason: 'x', actor: 'cycle', asOf: at(90) });
    await forge(`DELETE FROM looks WHERE experiment_id = '${experimentId}'`);
    expect(await misfits(model)).toEqual([' look 1']);
  });
});

describe('the chain of route changes', () => {
  const alone = (champion: number, previous: number | null) => ({
    ...{ champion, previous, challenger: null, share: null, experimentId: null },
  });

  /** A model whose route went 1, 2, 3, 2. */
  async function moved() {
    const model = await seedModel(db, { versions: 3 });
    for (const [i, champion] of [2, 3, 2].entries()) {
      const change = {
        action: 'rollback' as const,
        actor: 'alice',
        reason: `move ${i}`,
        evidence: { n: 1e-7, é: [1.5] },
      };
      await changeRoute(db, { model, expectedEpoch: i + 1, next: alone(champion, null), ...change });
    }
    return model;
  }

  it('is whole, whoever wrote it and however many at once', async () => {
    const model = await moved();
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        changeRoute(db, {
          ...{ model, expectedEpoch: 4, next: alone(1 + (i % 2) * 2, null), action: 'rollback', actor: 'bob' },
          ...{ reason: 'race', evidence: { i } },
        }),
      ),
    );
    expect(await verifyChain(db, model)).toEqual({ checked: 5, broken: [] });
    const hashes = (await routeChanges(db, model)).map(({ hash }) => hash);
    expect(new Set(hashes).size).toBe(5);
    for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('cannot be written with another hash', async () => {
    const model = await seedModel(db, { versions: 2 });
    const { model: m, epoch: _epoch, hash: _hash, id: _id, ...row } = (await routeChanges(db, model))[0]!;
    const data = { ...row, model: m, epoch: 2, hash: 'mine', before: row.after!, after: row.after!, evidence: {} };
    await db.prisma.routeChange.create({ data: { ...data, requestId: null } });
    expect((await routeChanges(db, model))[1]!.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    "actor = 'nobody'",
    "action = 'promote'",
    "reason = ''",
    "evidence = '{}'",
    "after = jsonb_set(after, '{previous}', '1')",
    "before = jsonb_set(before, '{previous}', '1')",
    'forced = true',
    "request_id = 'r'",
    'cycle_id = gen_random_uuid()',
    "created_at = created_at + interval '1 microsecond'",
    "hash = repeat('0', 64)",
  ])('shows a change with %s', async (change) => {
    const model = await moved();
    await forge(`UPDATE route_changes SET ${change} WHERE model = '${model}' AND epoch = 3`);
    const { broken } = await verifyChain(db, model);
    expect(broken.map(({ epoch }) => epoch)).toContain(3);
  });

  it('shows a change that was taken out, one at the end included, and a route that was moved by hand', async () => {
    const model = await moved();
    await forge(`DELETE FROM route_changes WHERE model = '${model}' AND epoch = 3`);
    expect((await verifyChain(db, model)).broken).toContainEqual(expect.objectContaining({ epoch: 4, field: 'hash' }));
    const other = await moved();
    await forge(`DELETE FROM route_changes WHERE model = '${other}' AND epoch = 4`);
    expect((await verifyChain(db, other)).broken).toMatchObject([{ field: 'route' }]);
    const third = await moved();
    await forge(`UPDATE routes SET champion = 3 WHERE model = '${third}'`);
    expect((await verifyChain(db, third)).broken).toMatchObject([{ field: 'route' }]);
  });

  it('of rows that were there before it is made by the migration', async () => {
    const models = [await moved(), await moved()];
    const before = await Promise.all(models.map((model) => routeChanges(db, model)));
    await forge(
      'DROP TRIGGER route_changes_chained ON route_changes',
      'DROP FUNCTION chain_route_change, route_change_hash',
      'ALTER TABLE route_changes DROP COLUMN hash',
      'ALTER TABLE looks DROP COLUMN digest',
    );
    await db.pool.query(await readFile('prisma/migrations/20261121100100_route_chain/migration.sql', 'utf8'));
    const after = await Promise.all(models.map((model) => routeChanges(db, model)));
    expect(after).toEqual(before);
    await expect(db.pool.query(`UPDATE route_changes SET hash = ''`)).rejects.toThrow(/append-only/);
  });
});

it('a cycle that was opened when `fixed` was the default starts its experiment under it', async () => {
  const model = await seedModel(db);
  const cycleId = await seedCycle(db, model, at(-10));
  await db.pool.query(await readFile('prisma/migrations/20261121100000_frozen_rule/migration.sql', 'utf8'));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  const { settings } = await readExperiment(db, (facts as { experimentId: string }).experimentId);
  expect(settings.experiment).toMatchObject({ test: 'fixed', min_samples_per_arm: 40 });
});
