import net from 'node:net';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, onTestFinished, test } from 'vitest';
import { temporalCliPath } from '#setup/toolchain.mjs';
import { freePort, openSupervisor, startTemporalDevServer } from '../../src/dev/index.js';
import { ATTRIBUTES } from '../../src/temporal/search-attribute-names.js';
import { temporaryFolder } from './support.js';

test('the server knows the search attributes, keeps workflows over a restart and steps around busy ports', async () => {
  const folder = temporaryFolder();
  const supervisor = await openSupervisor({ stateDir: path.join(folder, 'processes'), handleSignals: false });
  onTestFinished(() => supervisor.stop());
  const [port, uiPort] = [await freePort(), await freePort()];
  const squatters = [port, uiPort].map((busy) => net.createServer().listen(busy, '127.0.0.1'));
  onTestFinished(() => {
    for (const squatter of squatters) squatter.close();
  });
  const options = {
    logFile: path.join(folder, 'log'),
    databaseFile: path.join(folder, 'temporal', 'temporal.db'),
    port,
    uiPort,
    executable: temporalCliPath(),
  };

  const first = await startTemporalDevServer(supervisor, options);
  expect(first.address).not.toBe(`127.0.0.1:${port}`);
  expect(first.uiUrl).not.toBe(`http://127.0.0.1:${uiPort}`);
  expect((await fetch(first.uiUrl as string)).status).toBe(200);
  const connection = await Connection.connect({ address: first.address });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  expect(Object.keys(customAttributes ?? {})).toEqual(
    expect.arrayContaining(Object.values(ATTRIBUTES).map(({ name }) => name)),
  );
  await new Client({ connection }).workflow.start('never', { taskQueue: 'nobody', workflowId: 'kept' });
  await connection.close();
  await first.stop();

  const second = await startTemporalDevServer(supervisor, { ...options, headless: true });
  expect(second.uiUrl).toBeNull();
  const again = await Connection.connect({ address: second.address });
  const description = await new Client({ connection: again }).workflow.getHandle('kept').describe();
  expect(description.status.name).toBe('RUNNING');
  await again.close();
});
