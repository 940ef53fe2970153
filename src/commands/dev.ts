import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readCliConfig } from '../config.js';
import { openSupervisor, startAdapterServer, startStack } from '../dev/index.js';
import { UnderstudyError } from '../errors.js';

/** Starts everything embedded and stays until Ctrl-C. The addresses go to `<data>/dev.env`, which the CLI reads. */
export async function dev(options: { data: string; port: string; base?: string }): Promise<void> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UnderstudyError('invalid_option', { option: '--port', detail: 'must be a port number' });
  }
  const startedAt = performance.now();
  const dataDir = path.resolve(options.data);
  mkdirSync(dataDir, { recursive: true });
  const envFile = path.join(dataDir, 'dev.env');
  rmSync(envFile, { force: true });
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const supervisor = await openSupervisor({
    stateDir: path.join(dataDir, 'processes'),
    onEvent: (event) => {
      if (event.type === 'leftovers_ended') say(`Ended what an earlier start left behind: ${event.names.join(', ')}.`);
      if (event.type === 'started' && event.restarts > 0) say(`${event.name} died and was started again.`);
      if (event.type === 'lost')
        say(`${event.name} ended: ${event.reason}. See ${path.join(dataDir, 'logs', `${event.name}.log`)}.`);
    },
  });
  try {
    const databaseUrl = readCliConfig().databaseUrlIfSet;
    const stack = await startStack(supervisor, {
      dataDir,
      port,
      onProgress: say,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
    });
    if (options.base !== undefined) {
      const adapters = await startAdapterServer(supervisor, {
        base: options.base,
        logFile: path.join(stack.logDir, 'adapter-server.log'),
        artifactsDir: stack.artifactsDir,
        allowPaths: [path.resolve(options.base)],
      });
      say(`Adapter server  ${adapters.url} (base "${options.base}")`);
    }
    writeFileSync(
      envFile,
      Object.entries(stack.env)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    chmodSync(envFile, 0o600);
    supervisor.defer('dev.env', async () => rmSync(envFile, { force: true }));
    say(
      `\nReady in ${((performance.now() - startedAt) / 1000).toFixed(1)} s. Next, in another terminal, in this folder:`,
    );
    say('  npx understudy model apply -f model.yaml');
    say('  npx understudy key create --scope serve --scope ingest');
    say(`  point your app at ${stack.serverUrl}/v1\n`);
    if (options.base === undefined)
      say('No adapter server runs here: give one with --base, or name yours in serving.base_urls.');
    say('Ctrl-C stops everything.');
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  // Until a signal comes: the supervisor's handlers stop everything and end this process. Its children keep it alive.
  await new Promise<never>(() => {});
}
