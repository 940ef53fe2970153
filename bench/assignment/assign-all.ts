// A process of its own for one contestant: `assign-all.js ours|growthbook COUNT user|hashed EXPERIMENT [FOLDER]`, answers one line of JSON.
import { createRequire } from 'node:module';
import path from 'node:path';
import { isInSecondArm } from '../../src/routing/index.js';
import { inChunks } from './subjects.js';

const SHARE = 0.1;

/** What is used of the peer. */
interface GrowthBookModule {
  GrowthBookClient: new () => {
    runInlineExperiment<T>(experiment: Record<string, unknown>, user: { attributes: { id: string } }): { value: T };
  };
}

/** The one question that is asked of both: is this subject in the second arm? */
function contestant(name: string, experiment: string, folder: string | undefined): (subject: string) => boolean {
  if (name === 'ours') return (subject) => isInSecondArm(experiment, subject, SHARE);
  const load = createRequire(path.join(folder ?? '.', 'package.json'));
  const { GrowthBookClient } = load('@growthbook/growthbook') as GrowthBookModule;
  const client = new GrowthBookClient();
  const settings = {
    key: experiment,
    seed: experiment,
    hashAttribute: 'id',
    hashVersion: 2,
    variations: [true, false],
    weights: [SHARE, 1 - SHARE],
  };
  return (subject) => client.runInlineExperiment<boolean>(settings, { attributes: { id: subject } }).value;
}

const [name = '', count = '', kind = '', experiment = '', folder] = process.argv.slice(2);
const isSecond = contestant(name, experiment, folder);
let second = 0;
let wallMs = 0;
let cpuMicros = 0;
inChunks(Number(count), kind === 'user' ? 'user' : 'hashed', (subjects) => {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (const subject of subjects) if (isSecond(subject)) second += 1;
  wallMs += performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  cpuMicros += user + system;
});
process.stdout.write(
  JSON.stringify({
    second,
    wall_s: wallMs / 1_000,
    cpu_s: cpuMicros / 1e6,
    rss_mb: process.memoryUsage().rss / 2 ** 20,
  }),
);
