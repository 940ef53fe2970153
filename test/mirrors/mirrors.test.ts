import { createHmac, timingSafeEqual } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rollBack } from '../../src/experiments/index.js';
import {
  type EventBody,
  type MirrorLoop,
  type ParkedCycle,
  replayDeliveries,
  showMirrors,
  startMirrors,
} from '../../src/mirrors/index.js';
import { applyModel } from '../../src/registry/index.js';
import { changeRoute, readRoute } from '../../src/routing/index.js';
import { startFakeMlflow } from '../support/fake-mlflow.js';
import { type HttpFake, startHttpFake } from '../support/http-fake.js';
import { seedTraining } from '../support/seed-training.js';
import { seedAdapterVersion, seedRoute } from '../support/seed-version.js';
import { openStage, policyDocument, type Stage, seedCycle, seedModel } from '../support/stage-fixtures.js';

interface Received {
  headers: Record<string, string>;
  text: string;
  body: EventBody;
}

let stage: Stage;
let hook: HttpFake;
let received: Received[];
let status: number;
let model: string;
let models = 0;
let loops: MirrorLoop[];
let now: Date;
let parked: ParkedCycle[] | Error;
const log: string[] = [];
beforeAll(async () => {
  stage = await openStage();
  hook = await startHttpFake(({ headers, body }) => {
    const text = String(body);
    if (status === 200) received.push({ headers: headers as Received['headers'], text, body: JSON.parse(text) });
    return { status, body: {} };
  });
});
afterAll(async () => {
  await stage.close();
  await hook.close();
});
beforeEach(() => {
  models += 1;
  model = `mirrored-${models}`;
  [received, status, loops, parked, now] = [[], 200, [], [], new Date()];
});
afterEach(async () => {
  for (const loop of loops) await loop.stop();
  // A loop looks at every model.
  await stage.db.pool.query("UPDATE models SET policy = policy - 'mirrors'");
});

const webhook = (more: object = {}) => ({
  name: 'router',
  url: `${hook.url}/hook`,
  secret: `\${HOOK_SECRET}`,
  ...more,
});
const secrets = (reference: string | null) => (reference === null ? undefined : `value of ${reference}`);

function mirrors(given: Partial<Parameters<typeof startMirrors>[0]> = {}): MirrorLoop {
  const say = (facts: object, text: string) => void log.push(JSON.stringify([facts, text]));
  const loop = startMirrors({
    db: stage.db,
    secrets,
    intervalMs: 3_600_000,
    parkedEveryMs: 0,
    parked: async () => {
      if (parked instanceof Error) throw parked;
      return parked;
    },
    clock: () => now,
    logger: { info: say, warn: say } as never,
    ...given,
  });
  loops.push(loop);
  return loop;
}

/** A model with a webhook and versions 2 and 3, of which nothing has been told. */
async function seeded(section: object = { webhooks: [webhook()] }): Promise<void> {
  await seedModel(stage.db, model, { mirrors: section });
  for (const version of [2, 3]) await seedAdapterVersion(stage.db, stage.root, model, version);
}

const promote = (version: number, previous: number) => seedRoute(stage.db, model, { champion: version, previous });
const seconds = (count: number) => {
  now = new Date(now.getTime() + count * 1_000);
};
const only = async () => (await showMirrors(stage.db, model)).find(({ mirror }) => mirror === 'router')!;
const types = () => received.map(({ body }) => body.type);

describe('webhooks', () => {
  it('are told of a promotion and a rollback, signed, with what a router needs', async () => {
    await seeded();
    const loop = mirrors();
    await promote(2, 1);
    const deps = { db: stage.db, loadVersion: async () => {} };
    await rollBack(deps, { model, actor: 'ann', reason: 'worse', requestId: 'r1' });
    await loop.pass();
    expect(types()).toEqual(['promoted', 'rolled_back']);
    const [promoted, back] = received;
    expect(promoted!.body).toMatchObject({
      ...{ model, sandbox: true, cycle: null, operator: null },
      route: {
        epoch: 2,
        champion: { version: 2, label: '1.0.2', served_as: `${model}-v2`, base_model: 'tiny/base', kind: 'adapter' },
        previous: { version: 1, served_as: 'base', kind: 'base' },
        challenger: null,
      },
      change: { action: 'promote', actor: 'test', champion_before: 1 },
    });
    expect(back!.body).toMatchObject({
      route: { epoch: 3, champion: { version: 1 } },
      change: { actor: 'ann', reason: 'worse', champion_before: 2 },
    });
    for (const { headers, text, body } of received) {
      expect(headers['webhook-id']).toBe(body.id);
      const signed = `${body.id}.${headers['webhook-timestamp']}.${text}`;
      const expected = createHmac('sha256', `value of \${HOOK_SECRET}`).update(signed).digest();
      const [version, signature] = headers['webhook-signature']!.split(',');
      expect([version, timingSafeEqual(Buffer.from(signature!, 'base64'), expected)]).toEqual(['v1', true]);
    }
    await loop.pass();
    expect(received).toHaveLength(2);
  });

  it('are told how a cycle ended, once, also when it was reset and ended again in another way', async () => {
    await seeded();
    const loop = mirrors();
    const cycleId = await seedCycle(stage.db, model, new Date());
    const end = (outcome: string) =>
      stage.db.prisma.cycle.update({
        where: { id: cycleId },
        data: { endedAt: new Date(), outcome, reason: 'harm', candidate: 3 },
      });
    await loop.pass();
    await end('rejected');
    await loop.pass();
    await loop.pass();
    expect(types()).toEqual(['rejected', 'cycle_ended']);
    expect(received[0]!.body.cycle).toMatchObject({
      id: cycleId,
      outcome: 'rejected',
      reason: 'harm',
      candidate: { version: 3 },
    });
    await end('canceled');
    await loop.pass();
    expect(types().slice(2)).toEqual(['cycle_ended']);
  });

  it('are told once that a cycle needs an operator, and nothing is lost while Temporal is away', async () => {
    await seeded();
    const loop = mirrors();
    const since = '2026-11-20T12:00:00.000Z';
    parked = new Error('away');
    await loop.pass();
    parked = [
      { model, workflowId: 'w', runId: 'r', step: 'submitTraining', problem: 'trainer_unreachable: away', since },
    ];
    await loop.pass();
    await loop.pass();
    expect(types()).toEqual(['needs_operator']);
    expect(received[0]!.body).toMatchObject({ at: since, operator: { workflow: 'w', step: 'submitTraining', since } });
    parked = [{ ...parked[0]!, since: '2026-11-21T12:00:00.000Z' }];
    await loop.pass();
    expect(types()).toEqual(['needs_operator', 'needs_operator']);
  });

  it('get only what they want, and nothing of the time before', async () => {
    await seedModel(stage.db, model);
    for (const version of [2, 3]) await seedAdapterVersion(stage.db, stage.root, model, version);
    await promote(2, 1);
    const list = [
      webhook({ events: ['rolled_back'] }),
      webhook({ name: 'all', events: ['route_changed', 'promoted'] }),
    ];
    await applyModel(stage.db, policyDocument(model, { mirrors: { webhooks: list } }), { actor: 'ann' });
    await promote(3, 2);
    const route = await readRoute(stage.db, model);
    await changeRoute(stage.db, {
      ...{ model, expectedEpoch: route.epoch, next: { ...route, previous: 1 }, action: 'end_bake' },
      ...{ actor: 'cycle', reason: 'ok', evidence: {} },
    });
    await mirrors().pass();
    expect(received.map(({ body }) => [body.type, body.route.epoch])).toEqual([
      ['promoted', 3],
      ['route_changed', 4],
    ]);
  });

  it('get an event again with the same id and body until they take it, and the later ones after it', async () => {
    await seeded();
    const loop = mirrors();
    await promote(2, 1);
    status = 500;
    await loop.pass();
    await promote(3, 2);
    await loop.pass();
    expect(await only()).toMatchObject({
      waiting: 2,
      pending: [{ attempts: 1, last_error: 'HTTP 500' }, { attempts: 1 }],
    });
    [status] = [200];
    await loop.pass();
    expect(received).toEqual([]);
    seconds(6);
    await loop.pass();
    expect(types()).toEqual(['promoted', 'promoted']);
    expect(received.map(({ body }) => body.route.epoch)).toEqual([2, 3]);
    expect(await only()).toMatchObject({ delivered: 2, waiting: 0, pending: [] });
  });

  it('that took an event whose answer was lost get it again under the same id', async () => {
    await seeded();
    const loop = mirrors();
    await promote(2, 1);
    hook.drop(1, 'after');
    await loop.pass();
    seconds(6);
    await loop.pass();
    expect(received).toHaveLength(2);
    expect(received[0]!.text).toBe(received[1]!.text);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('that never take it make it dead, which is seen and can be replayed', async () => {
    await seeded();
    const loop = mirrors();
    await promote(2, 1);
    status = 410;
    for (let attempt = 0; attempt < 16; attempt += 1) {
      await loop.pass();
      seconds(3_601);
    }
    expect(await only()).toMatchObject({
      dead: 1,
      waiting: 0,
      pending: [{ state: 'dead', attempts: 16, last_error: 'HTTP 410' }],
    });
    status = 200;
    await loop.pass();
    expect(received).toEqual([]);
    expect(await replayDeliveries(stage.db, { model, now })).toBe(1);
    await loop.pass();
    expect(types()).toEqual(['promoted']);
    const { id } = received[0]!.body;
    expect(await replayDeliveries(stage.db, { model, event: id, now })).toBe(1);
    await loop.pass();
    expect(received[1]!.text).toBe(received[0]!.text);
    const unknown = '00000000-0000-4000-8000-000000000000';
    await expect(replayDeliveries(stage.db, { model, event: unknown, now })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('of which one does not answer hold neither the others nor the route up', async () => {
    await seeded({ webhooks: [webhook(), webhook({ name: 'silent', url: `${hook.url}/silent` })] });
    const loop = mirrors();
    await promote(2, 1);
    hook.drop(1, 'hang', /silent/);
    const passing = loop.pass();
    await expect.poll(() => received.map(({ body }) => body.type), { timeout: 10_000 }).toContain('promoted');
    await promote(3, 2);
    await loop.stop();
    expect((await passing).deliveries).toHaveLength(2);
  });

  it('are told by one server of several, and by another one when that dies in the middle', async () => {
    await seeded();
    const [first, second] = [mirrors(), mirrors()];
    expect((await first.pass()).leader).toBe(true);
    expect((await second.pass()).leader).toBe(false);
    await promote(2, 1);
    // Claimed by a process that is gone.
    hook.drop(1, 'before');
    await first.pass();
    await first.stop();
    seconds(200);
    expect(await second.pass()).toMatchObject({ leader: true, deliveries: [{ mirror: 'router', state: 'delivered' }] });
    expect(types()).toEqual(['promoted']);
  });

  it('may be Slack, and may have an address that is a secret', async () => {
    await seeded({ webhooks: [webhook({ format: 'slack', secret: null, url: `\${SLACK_URL}` })] });
    const loop = mirrors({
      secrets: (reference) => (reference === null ? undefined : `${hook.url}/services/T0?key=1`),
    });
    await promote(2, 1);
    await loop.pass();
    expect(received[0]!.body).toEqual({
      text: `${model} (sandbox): version 2 (1.0.2) was promoted, before it version 1 by test: test; epoch 2`,
    });
    expect(received[0]!.headers['webhook-signature']).toBeUndefined();
    expect(hook.requests.at(-1)).toBe('POST /services/T0');
  });

  it('whose variable is no address, or missing, say so without showing it', async () => {
    await seeded({ webhooks: [webhook({ url: `\${HOOK_URL}` })] });
    await promote(2, 1);
    await mirrors({ secrets: () => 'ftp://ann:s3cret@host' }).pass();
    const { pending } = await only();
    expect(pending[0]!.last_error).toMatch(/^invalid_policy: /);
    expect(JSON.stringify(pending) + log.join()).not.toContain('s3cret');
  });
});

describe('a policy', () => {
  const code = (section: object) =>
    seedModel(stage.db, model, { mirrors: section }).then(
      () => 'no error',
      (error: { code: string }) => error.code,
    );

  it('names what events are signed with, and gives each webhook a name', async () => {
    for (const wrong of [
      { webhooks: [webhook({ secret: null })] },
      { webhooks: [webhook(), webhook()] },
      { webhooks: [webhook({ name: 'mlflow' })] },
      { webhooks: [webhook({ url: 'http://ann:s3cret@host/' })] },
      { webhooks: [webhook({ url: 'file:///etc/passwd' })] },
      { webhooks: [webhook({ events: [] })] },
      { mlflow: { url: 'http://host', registered_model: "x' OR name='y" } },
    ]) {
      expect([wrong, await code(wrong)]).toEqual([wrong, 'invalid_policy']);
    }
    expect(await code({ webhooks: [webhook()] })).toBe('no error');
  });
});

describe('an MLflow registry', () => {
  it('has our versions, lineage and aliases, and a second time nothing is changed', async () => {
    const mlflow = await startFakeMlflow();
    await seeded({ mlflow: { url: mlflow.url, authorization: `\${MLFLOW}` } });
    const cycleId = await seedCycle(stage.db, model, new Date());
    const run = await seedTraining(stage.db, { model, cycleId, asOf: new Date() });
    await stage.db.prisma.version.updateMany({
      where: { model, version: 3 },
      data: { cycleId, datasetId: run.datasetId },
    });
    const loop = mirrors();
    await promote(2, 1);
    await loop.pass();
    const registered = mlflow.models.get(model)!;
    expect(registered.versions.map(({ tags }) => tags.get('understudy.version'))).toEqual(['1', '2', '3']);
    expect(Object.fromEntries(registered.aliases)).toEqual({ champion: '2', previous: '1' });
    const dataset = await stage.db.prisma.dataset.findUniqueOrThrow({ where: { id: run.datasetId } });
    expect(Object.fromEntries(registered.versions[2]!.tags)).toMatchObject({
      'understudy.label': '1.0.3',
      'understudy.base_model': 'tiny/base',
      'understudy.dataset_digest': dataset.digest,
      'understudy.policy_digest': expect.stringMatching(/^[0-9a-f]{64}$/),
      'understudy.cycle': cycleId,
    });
    expect(registered.versions[1]!.source).toMatch(/^artifact:adapters\//);
    expect([...mlflow.authorization]).toEqual([`value of \${MLFLOW}`]);

    mlflow.changes.length = 0;
    const [event] = await stage.db.prisma.mirrorEvent.findMany({ where: { model } });
    await replayDeliveries(stage.db, { model, event: event!.id, now });
    expect((await loop.pass()).deliveries).toMatchObject([{ state: 'delivered' }]);
    expect(mlflow.changes).toEqual([]);

    await rollBack(
      { db: stage.db, loadVersion: async () => {} },
      { model, toVersion: 1, actor: 'ann', reason: 'worse', requestId: 'r1' },
    );
    await loop.pass();
    expect(Object.fromEntries(registered.aliases)).toEqual({ champion: '1' });
    expect(mlflow.changes).toEqual([
      'POST registered-models/alias',
      'DELETE registered-models/alias',
      'POST registered-models/set-tag',
    ]);
    await mlflow.close();
  });

  it('has each version once, however often it breaks off, and leaves what is not ours alone', async () => {
    const mlflow = await startFakeMlflow();
    await seeded({ mlflow: { url: `${mlflow.url}/`, registered_model: 'Support Desk' } });
    const own = { version: '1', source: 's3://elsewhere', description: '', tags: new Map([['team', 'desk']]) };
    mlflow.models.set('Support Desk', { tags: new Map(), aliases: new Map([['prod', '1']]), versions: [own] });
    const loop = mirrors();
    for (const when of ['after', 'before'] as const) {
      mlflow.drop(1, when, /model-versions\/create/);
      expect((await loop.pass()).deliveries).toMatchObject([{ state: 'waiting' }]);
      seconds(3_601);
    }
    mlflow.drop(1, 'after', /alias/);
    await loop.pass();
    seconds(3_601);
    expect((await loop.pass()).deliveries.map(({ state }) => state)).toEqual(['delivered']);
    const registered = mlflow.models.get('Support Desk')!;
    expect(registered.versions.map(({ tags }) => tags.get('understudy.version'))).toEqual([undefined, '1', '2', '3']);
    expect(Object.fromEntries(registered.aliases)).toEqual({ prod: '1', champion: '2' });
    expect(registered.versions[0]).toBe(own);
    await mlflow.close();
  });
});
