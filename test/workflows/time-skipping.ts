import fs from 'node:fs';
import path from 'node:path';
import { Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import type { Activities } from '../../src/activities/contract.js';
import { TASK_QUEUE } from '../../src/temporal/task-queues.js';
import { cycleWorkflowId, RETRAINING_CYCLE, STATUS_QUERY } from '../../src/temporal/workflow-names.js';
import type { CycleOutcome, CycleStatus } from '../../src/temporal/workflow-types.js';
import {
  historyText,
  readableTexts,
  startTestWorker,
  startTimeSkippingServer,
  type TestWorker,
  weigh,
} from '../support/temporal.js';
import { HOUR, World } from './world.js';

/** Kept and replayed by replay.test.ts; written anew with `UNDERSTUDY_RECORD_HISTORIES=1`. */
export const HISTORIES = path.join(ROOT, 'test', 'histories');
const RECORDING = process.env.UNDERSTUDY_RECORD_HISTORIES === '1';

/** In every text that must not get into a history. */
export const CANARY = 'canary-7f3a-conversation-text';

/** Writes a golden history, when they are being written. */
export function keepHistory(name: string, history: Parameters<typeof historyText>[0]): void {
  if (RECORDING) fs.writeFileSync(path.join(HISTORIES, `${name}.json`), historyText(history));
}

export interface RunningCycle {
  handle: WorkflowHandle;
  status(): Promise<CycleStatus>;
  /** Waits, in real time, for something that happens without time passing. */
  until(what: (status: CycleStatus) => boolean): Promise<CycleStatus>;
  /** Lets time pass. */
  pass(milliseconds: number): Promise<void>;
  /** Lets time pass in small steps until it is so; for what comes after retries. */
  passUntil(what: (status: CycleStatus) => boolean): Promise<CycleStatus>;
  /** Waits until the experiment goes on; no time passes. */
  experimenting(): Promise<CycleStatus>;
  /** Waits until the bake goes on; 48 hours pass. */
  baking(): Promise<CycleStatus>;
  signal(name: string, payload: unknown): Promise<void>;
  cancel(): Promise<unknown>;
}

export interface EndedCycle {
  /** Null unless it completed. */
  outcome: CycleOutcome | null;
  /** `failed` and its type, or `canceled`. */
  failure: { type: string; message: string } | null;
  canceled: boolean;
  status: CycleStatus;
  attributes: Record<string, unknown>;
  events: number;
  bytes: number;
  /** All that can be read in the history. */
  text: string;
}

export interface CycleOptions {
  input?: unknown;
  workflowId?: string;
  /** Runs beside the cycle; the cycle is waited for afterwards. */
  during?: (cycle: RunningCycle) => Promise<void>;
  /** Name under which the history is kept. */
  golden?: string;
}

/**
 * One server and one worker for the tests of a file, which run one after the other: the clock is one, and the worker sees
 * the world that was entered last.
 */
export function useTimeSkipping() {
  let env: TestWorkflowEnvironment;
  let worker: TestWorker | undefined;
  let present = new World();
  beforeAll(async () => {
    env = await startTimeSkippingServer();
    worker = await startTestWorker(
      env,
      delegating(() => present),
    );
  });
  afterAll(async () => {
    await worker?.stop();
    await env?.teardown();
  });

  function runCycle(world: World, options: CycleOptions = {}): Promise<EndedCycle> {
    present = world;
    return cycleRunner(env)(world.model, options);
  }

  return {
    /** One that lets no time pass when it waits for a result: twice at once would confuse the server's clock. */
    client: () => new Client({ connection: env.connection }),
    /** The result of a run that nobody else waits for; time passes meanwhile. */
    result: (workflowId: string, runId: string): Promise<unknown> =>
      env.client.workflow.getHandle(workflowId, runId).result(),
    runCycle,
    enter: (world: World) => {
      present = world;
    },
  };
}

/** Starts a cycle, runs `during` beside it, and waits for its end, letting time pass. */
export function cycleRunner(env: TestWorkflowEnvironment) {
  return async (model: string, options: CycleOptions = {}): Promise<EndedCycle> => {
    let handle: WorkflowHandle | undefined;
    try {
      handle = await env.client.workflow.start(RETRAINING_CYCLE, {
        taskQueue: TASK_QUEUE,
        workflowId: options.workflowId ?? cycleWorkflowId(model),
        args: ['input' in options ? options.input : { model }],
      });
      await options.during?.(running(env, handle));
      return await ended(handle, options.golden);
    } finally {
      // Only after a test that failed there is anything to terminate.
      await handle?.terminate().catch(() => undefined);
    }
  };
}

/** Activities of whatever world is present when they are called. */
function delegating(present: () => World): Activities {
  const names = Object.keys(present().activities()) as (keyof Activities)[];
  const call = (name: keyof Activities) => (input: never) => present().activities()[name](input);
  return Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as Activities;
}

function running(env: TestWorkflowEnvironment, handle: WorkflowHandle): RunningCycle {
  const status = () => handle.query<CycleStatus>(STATUS_QUERY);
  const passing = async (milliseconds: number, what: (status: CycleStatus) => boolean, tries: number) => {
    for (let i = 0; i < tries; i += 1) {
      const now = await status();
      if (what(now)) return now;
      if (milliseconds > 0) await env.sleep(milliseconds);
      else await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`did not come about; the cycle is ${JSON.stringify(await status())}`);
  };
  const until = (what: (status: CycleStatus) => boolean) => passing(0, what, 1_000);
  const experimenting = () => until(({ experiment }) => experiment !== null);
  return {
    handle,
    status,
    until,
    experimenting,
    async baking() {
      await experimenting();
      await env.sleep(48 * HOUR);
      return until(({ phase, bake }) => phase === 'baking' && bake !== null);
    },
    pass: (milliseconds) => env.sleep(milliseconds),
    passUntil: (what) => passing(HOUR / 60, what, 200),
    signal: (name, payload) => handle.signal(name, payload),
    cancel: () => handle.cancel(),
  };
}

async function ended(handle: WorkflowHandle, golden: string | undefined): Promise<EndedCycle> {
  let outcome: CycleOutcome | null = null;
  let failure: EndedCycle['failure'] = null;
  let canceled = false;
  try {
    outcome = (await handle.result()) as CycleOutcome;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const cause = error.cause as ApplicationFailure | undefined;
    if (cause?.name === 'CancelledFailure') canceled = true;
    else failure = { type: cause?.type ?? '', message: cause?.message ?? '' };
  }
  const history = await handle.fetchHistory();
  const text = readableTexts(history);
  expect(text, 'a history never holds a text of a conversation').not.toContain(CANARY);
  if (golden !== undefined) keepHistory(golden, history);
  const status = await handle.query<CycleStatus>(STATUS_QUERY).catch(() => null as unknown as CycleStatus);
  const { searchAttributes } = await handle.describe();
  const attributes = Object.fromEntries(
    Object.entries(searchAttributes ?? {}).map(([name, values]) => [name, values?.[0]]),
  );
  return { outcome, failure, canceled, status, attributes, text, ...weigh(history) };
}
