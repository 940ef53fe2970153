import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { ROOT } from '#setup/toolchain.mjs';
import { startTemporalDevServer } from '../../src/dev/index.js';
import { TASK_QUEUE } from '../../src/temporal/task-queues.js';
import { cycleWorkflowId, RETRAINING_CYCLE } from '../../src/temporal/workflow-names.js';
import { type Bench, type BenchContext, interleave, measure, medians, type Sample } from '../harness/index.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const BARE = fileURLToPath(new URL('./bare-workflow.js', import.meta.url));
const OURS = path.join(ROOT, 'dist', 'workflow-bundle.js');

type Step = 'scheduled' | 'local';
type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

export const bench: Bench = {
  summary:
    'whole retraining cycles a second with stages that cost nothing, against a bare workflow with as many activities',
  async run(context) {
    const cycles = context.quick ? 50 : 500;
    Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
    const bare = path.join(context.folder, 'bare-workflow.js');
    writeFileSync(bare, (await bundleWorkflowCode({ workflowsPath: BARE, logger: new DefaultLogger('ERROR') })).code);
    const temporal = await startTemporalDevServer(context.supervisor, {
      logFile: path.join(context.folder, 'logs', 'temporal.log'),
      headless: true,
    });
    const connection = await Connection.connect({ address: temporal.address });
    context.supervisor.defer('client', () => connection.close());
    const client = new Client({ connection });
    const pid = () => context.supervisor.running().find(({ name }) => name === 'temporal')?.pid;

    const taskQueue = TASK_QUEUE;
    const first = await historyOf(context, client, temporal.address, OURS, {
      ...{ workflowId: cycleWorkflowId('first'), workflow: RETRAINING_CYCLE, args: [{ model: 'first' }] },
      check: ({ outcome }) => outcome === 'promoted',
    });
    const steps = stepsOf(first);
    const bareFirst = await historyOf(context, client, temporal.address, bare, {
      ...{ workflowId: 'bare-first', workflow: 'bareWorkflow', args: [steps] },
    });
    const run =
      (name: string, bundle: string, start: (id: string) => Promise<unknown>) => async (): Promise<Sample> => {
        const worker = await startWorker(context, temporal.address, bundle);
        try {
          // Code is compiled and pools are filled before it counts.
          await many(name, 20, start);
          const sample = await measure({ worker: [worker.pid], temporal: [pid()] }, () => many(name, cycles, start));
          return { ...sample, per_s: cycles / sample.wall_s! };
        } finally {
          await worker.stop();
        }
      };
    const samples = await interleave(
      context.runs,
      {
        understudy: run('cycle', OURS, (model) =>
          client.workflow.execute(RETRAINING_CYCLE, {
            ...{ workflowId: cycleWorkflowId(model), taskQueue, args: [{ model }] },
          }),
        ),
        'bare-workflow': run('bare', bare, (workflowId) =>
          client.workflow.execute('bareWorkflow', { workflowId, taskQueue, args: [steps] }),
        ),
      },
      (name, index, { per_s }) => context.say(`${name}, run ${index + 1}: ${per_s!.toFixed(1)} workflows a second`),
    );
    const count = context.quick ? 50 : 300;
    // Our workflow goes by its id.
    const replays = await replaysPerSecond(first, cycleWorkflowId('first'), OURS, count);
    const bareReplays = await replaysPerSecond(bareFirst, 'bare-first', bare, count);
    const [ours, theirs] = [medians(samples.understudy), medians(samples['bare-workflow'])];
    return {
      figures: {
        ...ours,
        replays_per_second: replays,
        bare_replays_per_second: bareReplays,
        events: first.events?.length ?? 0,
        activities: steps.length,
        local_activities: steps.filter((step) => step === 'local').length,
      },
      ratios: { 'bare-workflow': ours.per_s! / theirs.per_s!, 'bare-workflow-replays': replays / bareReplays },
      peers: {
        'bare-workflow': { version: 'Temporal SDK, the same server and worker', figure: theirs.per_s! },
        'bare-workflow-replays': { version: 'Temporal SDK', figure: bareReplays },
      },
      runs: context.runs,
      samples,
    };
  },
};

let started = 0;
async function startWorker(context: BenchContext, address: string, bundle: string) {
  started += 1;
  const name = `worker-${started}`;
  const ready = path.join(context.folder, `${name}-ready`);
  const profile = context.profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', context.profileDir];
  return context.supervisor.spawn(name, process.execPath, [...profile, WORKER, bundle, ready], {
    logFile: path.join(context.folder, 'logs', `${name}.log`),
    env: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'default' },
    ready: async () => existsSync(ready),
  });
}

/** All at once; the worker takes as many as it can. */
let runs = 0;
async function many(name: string, count: number, start: (id: string) => Promise<unknown>): Promise<void> {
  runs += 1;
  const ids = Array.from({ length: count }, (_, i) => `${name}-${runs}-${i}`);
  await Promise.all(ids.map(start));
}

/** The history of one workflow that came to its end. */
async function historyOf(
  context: BenchContext,
  client: Client,
  address: string,
  bundle: string,
  {
    workflow,
    check,
    ...start
  }: {
    workflow: string;
    workflowId: string;
    args: unknown[];
    check?: (result: { outcome: string }) => boolean;
  },
): Promise<History> {
  const worker = await startWorker(context, address, bundle);
  try {
    const result = (await client.workflow.execute(workflow, { ...start, taskQueue: TASK_QUEUE })) as {
      outcome: string;
    };
    if (check?.(result) === false) throw new Error(`${workflow} ended ${result.outcome}`);
    return await client.workflow.getHandle(start.workflowId).fetchHistory();
  } finally {
    await worker.stop();
  }
}

/** The activities of a history in their order. */
function stepsOf(history: History): Step[] {
  return (history.events ?? []).flatMap((event): Step[] => {
    if (event.activityTaskScheduledEventAttributes) return ['scheduled'];
    return event.markerRecordedEventAttributes?.markerName === 'core_local_activity' ? ['local'] : [];
  });
}

/** Of one history, again and again, in one worker. */
async function replaysPerSecond(
  history: History,
  workflowId: string,
  codePath: string,
  count: number,
): Promise<number> {
  const copies = Array.from({ length: count }, () => ({ workflowId, history }));
  let from: number | undefined;
  for await (const { error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, copies)) {
    if (error) throw error;
    // The first one loads the workflows' code.
    from ??= performance.now();
  }
  return (count - 1) / ((performance.now() - from!) / 1_000);
}
