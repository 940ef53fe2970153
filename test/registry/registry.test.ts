import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { UnderstudyError } from '../../src/errors.js';
import { applyModel, registerVersion, retireVersion, showModel } from '../../src/registry/index.js';
import { readRoute } from '../../src/routing/index.js';
import { seedTraining } from '../support/seed-training.js';
import { seedAdapterVersion, seedRoute } from '../support/seed-version.js';
import { openStage, policyDocument, type Stage, seedCycle, seedModel } from '../support/stage-fixtures.js';

const asOf = new Date('2026-11-10T12:00:00.000Z');
let stage: Stage;
let model: string;
let models = 0;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(() => {
  models += 1;
  model = `registry-${models}`;
});

const apply = (sections: Record<string, unknown> = {}) =>
  applyModel(stage.db, policyDocument(model, sections), { actor: 'ann' });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof UnderstudyError ? error.code : `unexpected ${String(error)}`),
  );

describe('applying a policy', () => {
  test('creates the model with its base as version 1 and champion', async () => {
    expect(await apply()).toMatchObject({ result: 'created', diff: [], policy: { name: model } });
    expect(await readRoute(stage.db, model)).toMatchObject({ epoch: 1, champion: 1, previous: null, challenger: null });
    const view = await showModel(stage.db, model);
    expect(view.versions).toMatchObject([
      {
        version: 1,
        label: '1.0.0',
        kind: 'base',
        state: 'candidate',
        role: 'champion',
        served_as: 'base',
        sandbox: true,
      },
    ]);
    expect(view.route_changes).toMatchObject([
      { epoch: 1, action: 'create', actor: 'ann', evidence: { base_model: 'tiny/base' } },
    ]);
  });

  test('replaces a stored policy that this release does not understand', async () => {
    await apply();
    const left = JSON.stringify({ ...policyDocument(model), left_by: 'another release' });
    await stage.db.pool.query('UPDATE models SET policy = $2 WHERE name = $1', [model, left]);
    expect((await apply()).result).toBe('updated');
    expect((await apply()).result).toBe('unchanged');
    await stage.db.pool.query('UPDATE models SET policy = $2 WHERE name = $1', [model, left]);
    expect(await code(applyModel(stage.db, { ...policyDocument(model), base_model: 'other' }, { actor: 'ann' }))).toBe(
      'invalid_policy',
    );
  });

  test('shows what it changes, with durations as they are written, and leaves the route alone', async () => {
    await apply();
    const changed = await apply({
      promotion: { bake: '12h', holdback: 0.2 },
      curation: { blocked_patterns: ['secret'] },
      upstream: { base_url: 'http://127.0.0.1:9/v1', model: 'base', timeout: '90s' },
    });
    expect(changed.result).toBe('updated');
    expect(changed.diff).toEqual([
      { path: 'upstream.timeout', before: '1m', after: '90s' },
      { path: 'curation.blocked_patterns', before: [], after: ['secret'] },
      { path: 'promotion.bake', before: '24h', after: '12h' },
      { path: 'promotion.holdback', before: 0.1, after: 0.2 },
    ]);
    expect((await showModel(stage.db, model)).policy).toMatchObject({ promotion: { bake: '12h' } });
    expect((await readRoute(stage.db, model)).epoch).toBe(1);
  });

  test('changes nothing when it says the same in other words', async () => {
    await apply({ promotion: { bake: '24h' } });
    expect(await apply({ promotion: { bake: '1440m' } })).toMatchObject({ result: 'unchanged', diff: [] });
  });

  test('several times at once creates one model', async () => {
    const results = await Promise.all([apply(), apply(), apply()]);
    expect(results.map(({ result }) => result).sort()).toEqual(['created', 'unchanged', 'unchanged']);
    expect(await stage.db.prisma.routeChange.count({ where: { model } })).toBe(1);
  });

  test('completes a creation that broke off before the route', async () => {
    await apply();
    await stage.db.pool.query('ALTER TABLE route_changes DISABLE TRIGGER route_changes_append_only');
    await stage.db.pool.query('DELETE FROM routes WHERE model = $1', [model]);
    await stage.db.pool.query('DELETE FROM route_changes WHERE model = $1', [model]);
    await stage.db.pool.query('ALTER TABLE route_changes ENABLE TRIGGER route_changes_append_only');
    expect((await apply()).result).toBe('unchanged');
    expect((await readRoute(stage.db, model)).champion).toBe(1);
  });

  test('locks sandbox, both ways', async () => {
    await apply();
    const strict = { sandbox: false, experiment: {} };
    expect(await code(apply(strict))).toBe('policy_sandbox_locked');
    model = `${model}-strict`;
    await apply(strict);
    expect(await code(apply())).toBe('policy_sandbox_locked');
  });

  test('refuses another base, a floor that is undercut and an effect that cannot be shown', async () => {
    await apply();
    const error = await apply({ base_model: 'other/base' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_policy', message: expect.stringContaining('other/base') });
    model = `${model}-new`;
    expect(await code(apply({ sandbox: false }))).toBe('policy_below_floor');
    expect(await code(apply({ experiment: { min_effect: 0.05, target_effect: 0.05 } }))).toBe('policy_target_effect');
    expect(await code(apply({ experimental: true }))).toBe('invalid_policy');
    expect(await code(showModel(stage.db, model))).toBe('unknown_model');
  });
});

describe('registering a version', () => {
  /** A cycle whose training succeeded. */
  async function trained(overrides: Record<string, unknown> = {}, status = 'succeeded') {
    const cycleId = await seedCycle(stage.db, model, asOf, overrides);
    return seedTraining(stage.db, { model, cycleId, asOf }, { status });
  }
  const register = async (overrides?: Record<string, unknown>) => registerVersion(stage.db, await trained(overrides));

  test('gives the next number, a name for the servers, and everything that says where it came from', async () => {
    await apply();
    const { cycleId, trainingRunId, datasetId } = await trained();
    expect(await registerVersion(stage.db, { cycleId, trainingRunId })).toEqual({
      version: 2,
      label: '1.1.0',
      servedAs: `${model}-v2`,
    });
    const row = await stage.db.prisma.version.findUniqueOrThrow({ where: { trainingRunId } });
    expect(row).toMatchObject({
      kind: 'adapter',
      state: 'candidate',
      adapterRank: 4,
      datasetId,
      cycleId,
      sandbox: true,
      metrics: { steps: 3 },
    });
    expect((await stage.db.prisma.cycle.findUniqueOrThrow({ where: { id: cycleId } })).candidate).toBe(2);
  });

  test('labels by what changed: same settings patch, other settings minor', async () => {
    await apply();
    const labels = [];
    for (const trainer of [
      {},
      {},
      { epochs: 5 },
      { epochs: 5, base_url: 'http://elsewhere:1', max_duration: '1h' },
      { lora: { rank: 2 } },
    ]) {
      labels.push((await register({ trainer })).label);
    }
    expect(labels).toEqual(['1.1.0', '1.1.1', '1.2.0', '1.2.1', '1.3.0']);
  });

  test('labels another way to choose the data as minor, and leaves out how it is tested', async () => {
    await apply();
    const labels = [];
    for (const change of [{}, { evaluation: { non_inferiority_margin: 0.1 } }, { curation: { min_quality: 0.9 } }]) {
      labels.push((await register(change)).label);
    }
    expect(labels).toEqual(['1.1.0', '1.1.1', '1.2.0']);
  });

  test('steps on from the greatest label, also past one that somebody wrote by hand', async () => {
    await apply();
    await seedAdapterVersion(stage.db, stage.root, model, 2);
    await stage.db.prisma.version.updateMany({ where: { model, version: 2 }, data: { label: 'by hand' } });
    expect(await register()).toMatchObject({ version: 3, label: '1.1.0' });
  });

  test('again, also at once, answers the same version', async () => {
    await apply();
    const run = await trained();
    const all = await Promise.all([
      registerVersion(stage.db, run),
      registerVersion(stage.db, run),
      registerVersion(stage.db, run),
    ]);
    expect(new Set(all.map(({ version }) => version))).toEqual(new Set([2]));
    expect(await stage.db.prisma.version.count({ where: { model } })).toBe(2);
  });

  test('refuses a training that did not succeed, and one of another cycle', async () => {
    await apply();
    expect(await code(registerVersion(stage.db, await trained({}, 'running')))).toBe('conflict');
    const [one, other] = [await trained(), await trained()];
    expect(await code(registerVersion(stage.db, { cycleId: one.cycleId, trainingRunId: other.trainingRunId }))).toBe(
      'not_found',
    );
  });
});

describe('retiring a version', () => {
  const retire = (version: number, state: 'archived' | 'rejected') =>
    retireVersion(stage.db, { model, version, state, asOf });
  const stateOf = async (version: number) =>
    (await stage.db.prisma.version.findUniqueOrThrow({ where: { model_version: { model, version } } })).state;

  test('archives or rejects it, and repeating that changes nothing', async () => {
    await seedModel(stage.db, model);
    for (const version of [2, 3]) await seedAdapterVersion(stage.db, stage.root, model, version);
    await retire(2, 'archived');
    await retire(2, 'archived');
    await retire(3, 'rejected');
    await retire(3, 'archived');
    expect([await stateOf(2), await stateOf(3)]).toEqual(['archived', 'rejected']);
    await retire(2, 'rejected');
    expect(await stateOf(2)).toBe('rejected');
    const { retiredAt } = await stage.db.prisma.version.findUniqueOrThrow({
      where: { model_version: { model, version: 2 } },
    });
    expect(retiredAt).toEqual(asOf);
  });

  test('refuses champion and previous, and a version that is not there', async () => {
    await seedModel(stage.db, model);
    await seedAdapterVersion(stage.db, stage.root, model, 2);
    await seedRoute(stage.db, model, { champion: 2, previous: 1 });
    expect(await code(retire(2, 'archived'))).toBe('conflict');
    expect(await code(retire(1, 'rejected'))).toBe('conflict');
    expect(await code(retire(9, 'rejected'))).toBe('unknown_version');
    expect([await stateOf(1), await stateOf(2)]).toEqual(['candidate', 'candidate']);
  });
});

test('shows route, roles, live cycle and experiment of a model in a bake', async () => {
  await seedModel(stage.db, model);
  await seedAdapterVersion(stage.db, stage.root, model, 2);
  const cycleId = await seedCycle(stage.db, model, asOf);
  const experimentId = randomUUID();
  await stage.db.prisma.experiment.create({
    data: {
      id: experimentId,
      model,
      cycleId,
      kind: 'bake',
      champion: 2,
      challenger: 1,
      share: 0.1,
      settings: {},
      policyDigest: 'x',
      sandbox: true,
      p0: 0.5,
      d0: 1,
      i0: 1,
      startedAt: asOf,
      minEndsAt: asOf,
      maxEndsAt: asOf,
    },
  });
  await seedRoute(stage.db, model, { champion: 2, previous: 1, challenger: 1, share: 0.1, experimentId });
  const view = await showModel(stage.db, model);
  expect(view.route).toMatchObject({
    epoch: 2,
    champion: 2,
    previous: 1,
    challenger: 1,
    share: 0.1,
    experiment: experimentId,
  });
  expect(view.versions.map(({ version, role }) => [version, role])).toEqual([
    [1, 'holdback'],
    [2, 'champion'],
  ]);
  expect(view.cycle).toMatchObject({ id: cycleId, phase: 'collecting' });
  expect(view.experiment).toMatchObject({ id: experimentId, kind: 'bake' });
  expect(view.route_changes.map(({ epoch }) => epoch)).toEqual([2, 1]);
  expect(JSON.parse(JSON.stringify(view)).route_changes[0].after).toMatchObject({ champion: 2 });
});
