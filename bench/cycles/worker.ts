import { writeFileSync } from 'node:fs';
import type { Activities } from '../../src/activities/contract.js';
import { connectWorker } from '../../src/temporal/connect-worker.js';
import { readTemporalConfig } from '../../src/temporal/index.js';
import { createWorker, installTemporalLogger } from '../../src/temporal/run-worker.js';
import { instantStages } from './instant-stages.js';

/** `worker.js BUNDLE READY`: one worker of the product, with stages that cost nothing; for the bare workflow too. */
const [codePath, readyFile] = process.argv.slice(2) as [string, string];

const show = (fields: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const quiet = () => undefined;
installTemporalLogger({ debug: quiet, info: quiet, warn: quiet, error: show });
const config = readTemporalConfig(process.env);
const connection = await connectWorker(config);
const nothing = async () => undefined;
const worker = await createWorker({
  connection,
  namespace: config.namespace,
  activities: { ...instantStages(), nothing } as Activities,
  workflowBundle: { codePath },
  shutdownGraceTime: '1s',
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => worker.shutdown());
const running = worker.run();
writeFileSync(readyFile, String(process.pid));
await running;
await connection.close();
