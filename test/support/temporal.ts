import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { temporal } from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, type LogEntry, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { ROOT, temporalCliPath, testServerPath } from '#setup/toolchain.mjs';
import type { Activities } from '../../src/activities/contract.js';
import { withFailures } from '../../src/activities/create-activities.js';
import { createWorker } from '../../src/temporal/run-worker.js';
import { ATTRIBUTES } from '../../src/temporal/search-attribute-names.js';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.js';
import { workflowBundle } from './workflow-bundle.js';

type History = temporal.api.history.v1.IHistory;

let installed = false;

/** Once a process: of the SDK's own log only errors are shown, and no signal handlers are set. */
export function installRuntime(): void {
  if (installed) return;
  installed = true;
  const show = ({ message, meta }: LogEntry) => {
    // What an activity throws is in the history, and many tests let one throw.
    if (meta?.sdkComponent !== 'activity') console.error(message, meta);
  };
  Runtime.install({
    logger: new DefaultLogger('ERROR', show),
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
  });
}

/** The SDK gives a server five seconds to listen, which a busy machine may not have: then another one is started. */
async function patiently(start: () => Promise<TestWorkflowEnvironment>): Promise<TestWorkflowEnvironment> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      const late = error instanceof Error && error.message.includes('did not start within');
      if (!late || attempt === 8) throw error;
    }
  }
}

/**
 * A Temporal server in which 48 hours pass in a moment, while nothing is being worked on. It has no schedules, list, reset
 * or pause, and its clock is one for all workflows: one test at a time.
 */
export async function startTimeSkippingServer(): Promise<TestWorkflowEnvironment> {
  installRuntime();
  const env = await patiently(() =>
    TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: 'existing-path', path: testServerPath() } },
    }),
  );
  // It takes them but cannot list them, so `ensureSearchAttributes` does not work here.
  const searchAttributes = Object.fromEntries(
    Object.values(ATTRIBUTES).map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type)!]),
  );
  await env.connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
  return env;
}

/** A whole Temporal server with a real clock, with the search attributes registered the way the worker does it. */
export async function startDevServer(): Promise<TestWorkflowEnvironment> {
  installRuntime();
  const rates = ['transfer', 'timer', 'visibility'].map((queue) => `history.${queue}ProcessorMaxPollRPS=1000`);
  const env = await patiently(() =>
    TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: temporalCliPath() },
        log: { format: 'pretty', level: 'error' },
        extraArgs: rates.flatMap((rate) => ['--dynamic-config-value', rate]),
      },
    }),
  );
  await ensureSearchAttributes(env.connection, 'default');
  return env;
}

export interface TestWorker {
  stop(): Promise<void>;
}

/** Runs both workers until `stop`. Errors of the activities become failures as they do in the real worker. */
export async function startTestWorker(env: TestWorkflowEnvironment, activities: Activities): Promise<TestWorker> {
  const worker = await createWorker({
    connection: env.nativeConnection,
    namespace: env.namespace ?? 'default',
    activities: withFailures(activities),
    workflowBundle: { codePath: await workflowBundle() },
    shutdownGraceTime: '1s',
  });
  const running = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await running;
    },
  };
}

/** What a history weighs: events, and bytes as Temporal stores them. */
export function weigh(history: History): { events: number; bytes: number } {
  const events = history.events?.length ?? 0;
  return { events, bytes: temporal.api.history.v1.History.encode(history).finish().length };
}

/** A history in the form of `temporal workflow show -o json`, which can be kept and replayed; one event a line, without the paths of this machine. */
export function historyText(history: History): string {
  const { events } = JSON.parse(historyToJSON(history)) as { events: unknown[] };
  const lines = events.map((event) => JSON.stringify(event).replaceAll(`${ROOT}/`, ''));
  return `{"events": [\n${lines.join(',\n')}\n]}\n`;
}

/** Everything that can be read in a history: its strings, and its payloads, which are bytes in it and base64 as JSON. */
export function readableTexts(history: History): string {
  const texts: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value);
    else if (value instanceof Uint8Array) texts.push(new TextDecoder().decode(value));
    else if (value !== null && typeof value === 'object') for (const inner of Object.values(value)) visit(inner);
  };
  visit(history.events);
  return texts.join('\n');
}
