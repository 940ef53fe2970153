import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { startCycle } from '../../src/temporal/index.js';
import { startDevServer, startTestWorker, type TestWorker } from '../support/temporal.js';
import { World } from '../workflows/world.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');

let env: TestWorkflowEnvironment;
let worker: TestWorker | undefined;
beforeAll(async () => {
  env = await startDevServer();
});
afterAll(async () => {
  await worker?.stop();
  await env?.teardown();
});

it('says that a cycle failed, and stops watching it', async () => {
  const openCycle = async () => {
    throw ApplicationFailure.nonRetryable('refused', 'overrides_refused');
  };
  worker = await startTestWorker(env, { ...new World('desk').activities(), openCycle });
  await startCycle(env.client, { model: 'desk', trigger: 'cli' });
  const watched = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
    const given = { ...process.env, TEMPORAL_ADDRESS: env.address };
    const args = [CLI, 'cycle', 'status', 'desk', '--watch'];
    execFile(process.execPath, args, { cwd: os.tmpdir(), env: given, timeout: 30_000 }, (error, stdout) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout }),
    );
  });
  expect(watched).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('ended: failed, overrides_refused: refused'),
  });
});
