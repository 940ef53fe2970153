import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporalCliPath } from '#setup/toolchain.mjs';
import type { Activities } from '../../src/activities/contract.js';
import { type CycleStatus, cycleWorkflowId, STATUS_QUERY } from '../../src/temporal/index.js';
import { startDevServer, startTestWorker, type TestWorker } from '../support/temporal.js';
import { World } from '../workflows/world.js';

const run = promisify(execFile);
const MODEL = 'support-desk';
const page = readFileSync('docs/operating.md', 'utf8');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'));
const unused = new Set(commands);

let env: TestWorkflowEnvironment;
let worker: TestWorker;
let world = enter();

beforeAll(async () => {
  env = await startDevServer();
  // The worker sees the world that was entered last.
  const names = Object.keys(world.activities()) as (keyof Activities)[];
  const present = Object.fromEntries(
    names.map((name) => [
      name,
      (input: never) => (world.activities()[name] as (input: never) => Promise<unknown>)(input),
    ]),
  ) as unknown as Activities;
  worker = await startTestWorker(env, present);
});
afterAll(async () => {
  await worker?.stop();
  await env?.teardown();
});

/** Runs the one command of the page that contains all of these words, with the real CLI. */
async function documented(...words: string[]): Promise<string> {
  const found = commands.filter((line) => words.every((word) => line.includes(word)));
  expect(found, `commands with ${words.join(', ')}`).toHaveLength(1);
  unused.delete(found[0]!);
  const [program, ...args] = [...found[0]!.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
  expect(program).toBe('temporal');
  const { stdout } = await run(temporalCliPath(), [...args, '--address', env.address]);
  return stdout;
}

/** A world in which adapters drain at once: the clock of this server is the real one. */
function enter(): World {
  const entered = new World(MODEL);
  entered.plan.drainMs = 10;
  return entered;
}

const handle = () => env.client.workflow.getHandle(cycleWorkflowId(MODEL));

async function until(what: (status: CycleStatus) => boolean): Promise<CycleStatus> {
  for (let tries = 0; tries < 200; tries += 1) {
    const status = await handle()
      .query<CycleStatus>(STATUS_QUERY)
      .catch(() => null);
    if (status !== null && what(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come to this');
}
const experimenting = () => until(({ experiment, outcome }) => experiment !== null && outcome === null);

/** Starts a cycle in a new world by the command of the page, and waits for its experiment. */
async function inExperiment(): Promise<void> {
  world = enter();
  await documented('workflow start', 'retrainingCycle', `--input '{"model":"support-desk"}'`);
  await experimenting();
}

describe('docs/operating.md', () => {
  it('starts and watches a cycle', async () => {
    await inExperiment();
    expect(await documented('workflow describe')).toContain('UnderstudyPhase');
    expect(await documented('workflow query', '--type status')).toContain('experimenting');
    expect(await documented('workflow show')).toContain('WorkflowExecutionStarted');
    await expect
      .poll(() => documented('workflow list', `UnderstudyModel = "support-desk"`))
      .toContain(cycleWorkflowId(MODEL));
    expect(await documented('workflow list', 'UnderstudyNeedsOperator')).not.toContain(cycleWorkflowId(MODEL));
  });

  it('cancels: the cycle undoes what it did and ends as canceled', async () => {
    await documented('workflow cancel');
    await expect(handle().result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(world.leftBehind).toEqual([]);
    expect(world.route).toMatchObject({ champion: 1, challenger: null });
  });

  it('starts a cycle with overrides, which reach it', async () => {
    world = enter();
    await documented('workflow start', 'overrides');
    await experimenting();
    expect(world.called('openCycle')[0]).toMatchObject({ overrides: { trainer: { epochs: 3 } } });
    await handle().cancel();
    await handle()
      .result()
      .catch(() => undefined);
  });

  it('tests a version that was made elsewhere', async () => {
    world = enter();
    world.versions.set(2, 'candidate');
    await documented('workflow start', '"candidate":2}');
    expect(await experimenting()).toMatchObject({ candidate: 2, dataset: null, training: null });
    await handle().cancel();
    await handle()
      .result()
      .catch(() => undefined);
  });

  it('promotes before the floor, recorded as forced, then rolls the bake back', async () => {
    await inExperiment();
    expect(await documented('update execute', '--name extend')).toContain('The last look comes at');
    // Before the floor without force: refused.
    await expect(documented('update execute', '--name promote')).rejects.toThrow(/before the floor/);
    await documented('workflow signal', '--name promote');
    await until(({ phase, bake }) => phase === 'baking' && bake !== null);
    expect(world.called('promote')[0]).toMatchObject({ forced: true, actor: 'ada' });
    expect(world.route.champion).toBe(2);
    await documented('workflow signal', '--name rollback');
    expect(await handle().result()).toMatchObject({ outcome: 'rolled_back', reason: 'operator', champion: 1 });
  });

  it('rolls back outside of a cycle by a workflow of its own', async () => {
    world = enter();
    world.route = { ...world.route, champion: 2, previous: 1 };
    await documented('workflow start', '--type rollback');
    await env.client.workflow.getHandle(`rollback-${MODEL}`).result();
    expect(world.route).toMatchObject({ champion: 1, actor: 'ada', action: 'rollback' });
  });

  it('resumes a parked cycle', async () => {
    world = enter();
    let broken = true;
    world.fail(
      'submitTraining',
      'missing_variable',
      { name: 'TRAINER_API_KEY', purpose: 'the policy refers to it' },
      () => broken,
    );
    await documented('workflow start', 'retrainingCycle', `--input '{"model":"support-desk"}'`);
    await until(({ needsOperator }) => needsOperator !== null);
    broken = false;
    await documented('workflow signal', '--name resume');
    expect(await experimenting()).toMatchObject({ needsOperator: null });
    await handle().cancel();
    await handle()
      .result()
      .catch(() => undefined);
  });

  it('schedules it weekly; a scheduled run starts the one cycle of the model', async () => {
    world = enter();
    await documented('schedule create');
    expect(await documented('schedule describe')).toContain('retrainingCycle');
    await documented('schedule trigger');
    // Until it has started, the newest run of this id is the one of the test before.
    await expect.poll(() => world.called('openCycle').length, { timeout: 20_000 }).toBe(1);
    await experimenting();
    expect(world.called('openCycle')[0]).toMatchObject({ trigger: 'schedule', workflowId: cycleWorkflowId(MODEL) });
    await documented('schedule delete');
    await handle().cancel();
    await handle()
      .result()
      .catch(() => undefined);
  });

  it('has no command that was not run here', () => {
    expect([...unused]).toEqual([]);
  });
});
