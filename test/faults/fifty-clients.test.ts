import { execFile } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { rollBack, verifyExperiments } from '../../src/experiments/index.js';
import { readRoute, verifyChain } from '../../src/routing/index.js';
import { seededRandom } from '../../src/stats/index.js';
import { cancelCycle, signalCycle, startRollback } from '../../src/temporal/cycles-client.js';
import { cycleWorkflowId, rollbackWorkflowId } from '../../src/temporal/workflow-names.js';
import { type CycleStack, startCycleStack } from '../support/cycle-stack.js';
import { routeChanges } from '../support/experiment-data.js';
import { aftermath } from './aftermath.js';
import { addModel, type StackModel } from './stack-model.js';
import { until } from './until.js';

const run = promisify(execFile);
const CLIENTS = 50;

let stack: CycleStack;
const models: StackModel[] = [];
beforeAll(async () => {
  stack = await startCycleStack();
});
afterAll(async () => {
  await Promise.all(models.map((model) => model.close()));
  await stack?.close();
});

/** What a client asked for and what it was told: an epoch where the answer names one. */
interface Told {
  client: string;
  requestId: string;
  epoch?: number;
  /** The code of a refusal. */
  refused?: string;
}

/** Everything that moves a route or ends a cycle, by every way in; the ways take turns. */
function ways(model: StackModel): Record<string, (requestId: string) => Promise<number | undefined>> {
  const { name } = model;
  const { client } = stack.temporal;
  const by = { actor: 'ada', reason: 'storm' };
  const post = async (what: string, requestId: string, body: object) => {
    const answer = await model.post(`/api/v1/models/${name}/${what}`, body, { 'idempotency-key': requestId });
    const json = (await answer.json()) as { epoch?: number; error?: { code: string } };
    if (json.error !== undefined) throw Object.assign(new Error(json.error.code), { code: json.error.code });
    return json.epoch;
  };
  const about = (requestId: string) => ({ candidate: 2, ...by, request_id: requestId });
  return {
    'API rollback to the base': (id) => post('rollback', id, { to_version: 1, ...by }),
    'API rollback to the candidate': (id) => post('rollback', id, { to_version: 2, ...by }),
    'API rollback to the previous': (id) => post('rollback', id, by),
    'API promote': (id) => post('promote', id, { candidate: 2, force: true, ...by }),
    'signal promote': (id) => signalCycle(client, name, 'promote', { ...about(id), force: true }).then(() => undefined),
    'signal rollback': (id) => signalCycle(client, name, 'rollback', about(id)).then(() => undefined),
    'rollback workflow': () => startRollback(client, { model: name, to_version: 1, ...by }).then(() => undefined),
    // What the command does, without a process of its own.
    'rollback in process': (requestId) =>
      rollBack({ db: stack.db, loadVersion: async () => {} }, { model: name, toVersion: 1, ...by, requestId }).then(
        ({ epoch }) => epoch,
      ),
    cancel: () => cancelCycle(client, name).then(() => undefined),
  };
}

async function storm(model: StackModel, seed: number): Promise<Told[]> {
  const random = seededRandom(seed);
  const all = Object.entries(ways(model));
  const told: Told[] = [];
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const [way, ask] = all[i % all.length]!;
    // Pairs of clients that ask the same with the same id: a client that did not hear the answer and asked again.
    const requestId = `${way} ${seed}/${Math.floor(i / (2 * all.length))}`.replaceAll(' ', '-');
    await sleep(random() * 150);
    const answer: Told = { client: way, requestId };
    told.push(answer);
    try {
      const epoch = await ask(requestId);
      if (epoch !== undefined) answer.epoch = epoch;
    } catch (error) {
      answer.refused = (error as { code?: string }).code ?? String(error);
    }
  });
  await Promise.all(clients);
  return told;
}

async function commandLine(model: string, version: number, requestId: string): Promise<number> {
  const program = path.join(ROOT, 'dist', 'src', 'cli.js');
  const args = ['rollback', model, '--version', String(version), '--reason', 'storm', '--actor', 'ada'];
  const env = { ...process.env, ...stack.env };
  const { stdout } = await run(process.execPath, [program, ...args, '--request-id', requestId, '--json'], { env });
  return (JSON.parse(stdout) as { epoch: number }).epoch;
}

describe.each([
  { name: 'test', promoted: false, seed: 1 },
  { name: 'bake', promoted: true, seed: 2 },
])('fifty clients promoting, rolling back and cancelling at once in the $name', ({ name, promoted, seed }) => {
  it('leave one route in one order of epochs, each request done once, and nothing undone', {
    timeout: 140_000,
  }, async () => {
    const model = await addModel(stack, name, {
      experiment: { share: 0.5, min_duration: '40m', max_duration: '60m', look_every: '10m', feedback_window: '1s' },
      promotion: { bake: '30m', holdback: 0.2, max_degradation: 0.05 },
    });
    models.push(model);
    await model.teach(24);
    const cycle = await model.start();
    await model.comesTo('an experiment', ({ experiment }) => experiment !== null, 40_000);
    if (promoted) {
      const force = { candidate: 2, actor: 'ada', reason: 'first', force: true };
      await signalCycle(stack.temporal.client, name, 'promote', force);
      await model.comesTo('a bake', ({ bake }) => bake !== null, 40_000);
    }
    const [told, byCommand] = await Promise.all([
      storm(model, seed),
      Promise.all([1, 1].map((version) => commandLine(name, version, `command ${seed}`))),
    ]);
    await cycle.cancel().catch(() => undefined);
    for (const id of [cycleWorkflowId(name), rollbackWorkflowId(name)]) {
      await until(`the end of ${id}`, () => ended(id), 40_000);
    }

    // Nobody was told of trouble that is not one of being too late.
    const refusals = new Set(told.flatMap(({ refused }) => refused ?? []));
    for (const code of refusals)
      expect(['message_refused', 'not_found', 'nothing_to_roll_back', 'conflict']).toContain(code);
    expect(new Set(byCommand).size).toBe(1);

    const changes = await routeChanges(stack.db, name);
    const route = await readRoute(stack.db, name);
    expect(changes.map(({ epoch }) => epoch)).toEqual(changes.map((_, i) => i + 1));
    expect(route.epoch).toBe(changes.length);
    expect(await verifyChain(stack.db, name)).toEqual({ checked: changes.length, broken: [] });
    expect((await verifyExperiments(stack.db, name)).flatMap(({ misfits }) => misfits)).toEqual([]);
    expect(changes.filter(({ action }) => action === 'promote').length).toBeLessThanOrEqual(1);

    // A request id stands at one change at most, and everybody who used it was told of that one, or came earlier, when what
    // was asked for was so already.
    const ids = changes.flatMap(({ requestId }) => requestId ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { requestId, epoch } of told) {
      const change = changes.find((one) => one.requestId === requestId);
      if (change === undefined || epoch === undefined || epoch === change.epoch) continue;
      const { champion, experimentId } = changes[epoch - 1]!.after as Record<string, unknown>;
      const { champion: wanted } = change.after as Record<string, unknown>;
      expect([requestId, epoch < change.epoch, champion, experimentId]).toEqual([requestId, true, wanted, null]);
    }
    expect(changes.filter(({ actor }) => actor.includes('ada')).length).toBeGreaterThan(1);

    const world = await aftermath(stack, model);
    expect(world).toMatchObject({ leases: 0, liveExperiments: 0, jobs: ['succeeded'] });
    expect(world.route).toMatchObject({ challenger: null, experimentId: null });
    // A candidate that an operator has put in charge stays loaded, so that one can go back to it; no other does.
    const loaded = world.versions[1] === 'candidate' ? [`${name}-v2`] : [];
    expect(world.adapters).toEqual(loaded);
    expect(world.versions[route.champion - 1]).toBe('candidate');
  });
});

async function ended(workflowId: string): Promise<boolean> {
  const handle = stack.temporal.client.workflow.getHandle(workflowId);
  const run = await handle.describe().catch((error: Error) => {
    if (error.name === 'WorkflowNotFoundError') return null;
    throw error;
  });
  return run?.status.name !== 'RUNNING';
}
