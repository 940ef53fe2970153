import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createActivities } from './activities/index.js';
import { createLocalStore } from './artifacts/index.js';
import { environment, readConfig, readSecret } from './config.js';
import { assertMigrated, createDb } from './db/index.js';
import { errorDetail, UnderstudyError } from './errors.js';
import { createLogger } from './telemetry/index.js';
import { connectWorker } from './temporal/connect-worker.js';
import { connectTemporal, ensureSearchAttributes, readTemporalConfig } from './temporal/index.js';
import { createWorker, installTemporalLogger } from './temporal/run-worker.js';
import { createTrainingProviders } from './training/index.js';

/** Workflows bundled by the build; without it the worker bundles them itself, which takes seconds. */
const BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger('worker', config.logLevel);
  installTemporalLogger(logger);
  const db = createDb(config.databaseUrl, {
    onError: (error) => logger.warn({ detail: errorDetail(error) }, 'idle database connection lost'),
  });
  await assertMigrated(db.pool);

  const temporal = readTemporalConfig(environment());
  const client = await connectTemporal(temporal);
  await ensureSearchAttributes(client.connection, temporal.namespace);
  await client.close();

  const connection = await connectWorker(temporal);
  const worker = await createWorker({
    connection,
    namespace: temporal.namespace,
    activities: createActivities({
      db,
      store: createLocalStore(config.artifacts),
      secrets: readSecret,
      providers: createTrainingProviders(readSecret),
    }),
    ...(existsSync(BUNDLE) ? { workflowBundle: { codePath: BUNDLE } } : {}),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => worker.shutdown());
  const running = worker.run();
  logger.info({ address: temporal.address, namespace: temporal.namespace }, 'worker polls');
  if (config.readyFile !== undefined) await writeFile(config.readyFile, String(process.pid));
  try {
    await running;
  } finally {
    await connection.close();
    await db.close();
  }
}

main().catch((error: unknown) => {
  const text = error instanceof UnderstudyError ? `${error.code}: ${error.message}` : errorDetail(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
});
