import path from 'node:path';
import { ROOT } from '#setup/toolchain.mjs';
import { verifyExperiments } from '../../../src/experiments/index.js';
import { verifyChain } from '../../../src/routing/index.js';
import { cycleWorkflowId, rollbackWorkflowId } from '../../../src/temporal/workflow-names.js';
import { type CycleStack, startCycleStack } from '../../support/cycle-stack.js';
import { workflowBundle } from '../../support/workflow-bundle.js';
import { aftermath } from '../aftermath.js';
import type { StackModel } from '../stack-model.js';
import { until } from '../until.js';
import { type Boundary, MOMENTS, type Step, startGate } from './gate.js';
import { enact, likeChallenger, SCENARIOS, type Scenario } from './scenarios.js';

/** The programs that are killed together. */
export type Victims = readonly ('worker' | 'server' | 'temporal')[];

/** A boundary of one scenario; its workflow is named without the model: `cycle` or `rollback`. */
export interface Cell extends Boundary {
  scenario: string;
}

export interface Killed extends Cell {
  /** What is not as it is when nobody is killed; empty when all is well. */
  misfits: string[];
}

export interface KillMatrix {
  /** Every step of every scenario that no earlier one has, at every moment. */
  cells: Cell[];
  /** One cycle for each cell; when each is where its cell says, the victims are killed at once. */
  kill(cells: Cell[], victims: Victims): Promise<Killed[]>;
  close(): Promise<void>;
}

type Aftermath = Awaited<ReturnType<typeof aftermath>>;

interface Enacted {
  model: StackModel;
  scenario: Scenario;
  meanwhile: Promise<unknown> | undefined;
}

const END_MS = 600_000;
const KILL = path.join(ROOT, 'test', 'faults', 'kill');

/**
 * Starts the programs and lets every scenario go its way undisturbed: which steps there are to be killed at is what the code
 * did, and how the world has to be afterwards is how it was.
 *
 * @param names of the scenarios; all of them when left out
 */
export async function openKillMatrix(names: readonly string[] = Object.keys(SCENARIOS)): Promise<KillMatrix> {
  const models = new Map<string, Enacted & { liked?: Promise<void> }>();
  let stack: CycleStack;
  const gate = await startGate(async ({ workflow, activity }) => {
    const enacted = activity === 'takeLook' ? models.get(modelOf(workflow)) : undefined;
    if (enacted === undefined || !enacted.scenario.liked) return;
    enacted.liked ??= likeChallenger(stack, enacted.model.name);
    await enacted.liked;
  });
  stack = await startCycleStack({
    nodeArgs: ['--import', path.join(KILL, 'gated-worker.mjs')],
    env: {
      UNDERSTUDY_TEST_GATE: gate.url,
      UNDERSTUDY_TEST_BUNDLE: await workflowBundle([path.join(KILL, 'short-waits.ts')]),
    },
  });
  let count = 0;
  async function begin(name: string): Promise<Enacted> {
    const scenario = SCENARIOS[name]!;
    count += 1;
    const model = await enact(stack, `${name}-${count}`, scenario);
    const enacted: Enacted = { model, scenario, meanwhile: undefined };
    models.set(model.name, enacted);
    return enacted;
  }
  async function run(enacted: Enacted): Promise<void> {
    await enacted.model.start(enacted.scenario.candidate);
    enacted.meanwhile = enacted.scenario.meanwhile?.(stack, enacted.model);
    enacted.meanwhile?.catch(() => undefined);
  }
  async function settle({ model, meanwhile }: Enacted): Promise<Aftermath> {
    await meanwhile;
    await until(`the end of ${model.name}`, () => hasEnded(stack, model.name), END_MS);
    return generic(model, await aftermath(stack, model));
  }

  const expected = new Map<string, Aftermath>();
  try {
    await Promise.all(
      names.map(async (name) => {
        const enacted = await begin(name);
        await run(enacted);
        expected.set(name, await settle(enacted));
      }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  const cells = cellsOf(gate.steps);

  async function kill(chosen: Cell[], victims: Victims): Promise<Killed[]> {
    const enacted: Enacted[] = [];
    for (const { scenario } of chosen) enacted.push(await begin(scenario));
    for (const [i, cell] of chosen.entries()) {
      gate.stopAt({ ...cell, workflow: workflowOf(cell.workflow, enacted[i]!.model.name) });
    }
    await Promise.all(enacted.map(run));
    await until(
      'every cycle at its boundary',
      async () => {
        const [first, ...others] = gate.missing();
        if (first === undefined) return true;
        throw new Error(`${JSON.stringify(first)} and ${others.length} more; ${await standing(first.workflow)}`);
      },
      END_MS,
    );
    await Promise.all(victims.map((victim) => stack[victim].kill()));
    gate.open();
    if (victims.includes('temporal')) await stack.temporal.start();
    return Promise.all(
      chosen.map(async (cell, i) => ({ ...cell, misfits: await misfits(enacted[i]!, expected.get(cell.scenario)!) })),
    );
  }

  /** Where a workflow is that was to be somewhere else. */
  async function standing(workflowId: string): Promise<string> {
    const { status, historyLength, raw } = await stack.temporal.client.workflow.getHandle(workflowId).describe();
    const pending = raw.pendingActivities?.map(({ activityType, attempt, lastFailure }) => [
      ...[activityType?.name, attempt, lastFailure?.message],
    ]);
    return `${status.name} after ${historyLength} events, waits for ${JSON.stringify(pending)}`;
  }

  async function misfits(one: Enacted, wanted: Aftermath): Promise<string[]> {
    const { name } = one.model;
    try {
      const found = await settle(one);
      const fields = Object.keys(wanted) as (keyof Aftermath)[];
      const differ = fields.filter((field) => JSON.stringify(found[field]) !== JSON.stringify(wanted[field]));
      const chain = await verifyChain(stack.db, name);
      const experiments = await verifyExperiments(stack.db, name);
      return [
        ...differ.map((field) => `${field}: ${JSON.stringify(found[field])}, not ${JSON.stringify(wanted[field])}`),
        ...chain.broken.map((link) => `chain: ${JSON.stringify(link)}`),
        ...experiments.flatMap(({ misfits }) => misfits.map((misfit) => `decision: ${JSON.stringify(misfit)}`)),
      ];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  }

  // Only now: on a port that is free again somebody else's server would be given the adapters that this one is to keep.
  async function close(): Promise<void> {
    gate.open();
    await Promise.all([...models.values()].map(({ model }) => model.close()));
    await stack.close();
    await gate.close();
  }
  return { cells, kill, close };
}

const ID = /^(?:retraining-cycle|rollback)-(.*)$/;
const modelOf = (workflowId: string) => ID.exec(workflowId)?.[1] ?? '';
const workflowOf = (kind: string, model: string) =>
  kind === 'rollback' ? rollbackWorkflowId(model) : cycleWorkflowId(model);

/** The steps of each scenario from where it parts from every one before it. */
function cellsOf(steps: readonly Step[]): Cell[] {
  const ways = new Set<string>();
  const names = Object.keys(SCENARIOS);
  const cells: Cell[] = [];
  for (const scenario of names) {
    const own = steps.filter(({ workflow }) => modelOf(workflow).replace(/-\d+$/, '') === scenario);
    const way = new Map<string, string>();
    for (const { workflow, activity, id } of own) {
      const kind = workflow.startsWith('rollback-') ? 'rollback' : 'cycle';
      way.set(kind, `${way.get(kind) ?? kind} > ${activity}`);
      if (ways.has(way.get(kind)!)) continue;
      ways.add(way.get(kind)!);
      for (const moment of MOMENTS) cells.push({ scenario, workflow: kind, activity, id, moment });
    }
  }
  return cells;
}

/** Has everything of a model come to its end? */
async function hasEnded({ temporal, db }: CycleStack, model: string): Promise<boolean> {
  for (const workflowId of [cycleWorkflowId(model), rollbackWorkflowId(model)]) {
    const run = await temporal.client.workflow
      .getHandle(workflowId)
      .describe()
      .catch((error: Error) => (error.name === 'WorkflowNotFoundError' ? null : Promise.reject(error)));
    if (run?.status.name === 'RUNNING') return false;
  }
  return (await db.prisma.cycle.count({ where: { model, endedAt: null } })) === 0;
}

/** Without the model's name, so that one model's end can be compared with another's. */
function generic({ name }: StackModel, found: Aftermath): Aftermath {
  return JSON.parse(JSON.stringify(found).replaceAll(name, 'model')) as Aftermath;
}
