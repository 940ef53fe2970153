import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../src/curation/index.js';
import { freezeDataset } from '../../src/datasets/index.js';
import { buildBaseModel, openSupervisor, type Supervisor, startAdapterServer } from '../../src/dev/index.js';
import { startReferenceTrainer } from '../../src/dev/reference-trainer.js';
import { evaluate } from '../../src/evaluation/index.js';
import { registerVersion } from '../../src/registry/index.js';
import { askChat, loadVersion, unloadVersion } from '../../src/serving/index.js';
import { cancelTraining, createTrainingProviders, followTraining, submitTraining } from '../../src/training/index.js';
import { noSecrets, openStage, type Stage, seedCycle, seedInteraction, seedModel } from '../support/stage-fixtures.js';

const MODEL = 'colours';
/** Made-up words, so that the base cannot know better than chance which word means which colour. */
const WORDS = ['blorp', 'snaff', 'quimbo', 'dretch', 'vandle', 'purnip', 'glosk', 'wexil'];
const COLOURS = ['red', 'green', 'blue', 'yellow'];
const truth = (index: number) => COLOURS[index % COLOURS.length]!;
const question = (n: number) => `the ${WORDS[n % WORDS.length]} number ${n} please`;
const answer = (n: number) => truth(n % WORDS.length);
const providers = createTrainingProviders(noSecrets);

let stage: Stage;
let supervisor: Supervisor;
let folder: string;
let trainerUrl: string;
let adapterUrl: string;

beforeAll(async () => {
  stage = await openStage();
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-real-trainer-'));
  const log = (name: string) => path.join(folder, `${name}.log`);
  supervisor = await openSupervisor({ stateDir: path.join(folder, 'processes'), handleSignals: false });
  const dataFile = path.join(folder, 'base.jsonl');
  // The base learns to answer with a colour, and always with the next one: it starts out wrong.
  const rows = Array.from({ length: 240 }, (_, n) => [question(n), truth((n % WORDS.length) + 1)]);
  writeFileSync(
    dataFile,
    rows
      .map(
        ([asked, said]) =>
          `${JSON.stringify({
            messages: [
              { role: 'user', content: asked },
              { role: 'assistant', content: said },
            ],
          })}\n`,
      )
      .join(''),
  );
  const base = path.join(stage.root, 'bases', 'colours');
  const [trainer] = await Promise.all([
    startReferenceTrainer(supervisor, {
      logFile: log('trainer'),
      artifactsDir: stage.root,
      stateDir: path.join(folder, 'trainer'),
    }),
    buildBaseModel(supervisor, { dataFile, outDir: base, seed: 7, logFile: log('base') }),
  ]);
  const adapters = await startAdapterServer(supervisor, { base, artifactsDir: stage.root, logFile: log('adapters') });
  trainerUrl = trainer.url;
  adapterUrl = adapters.url;
  await seedModel(stage.db, MODEL, {
    base_model: base,
    upstream: { base_url: `${adapterUrl}/v1`, model: 'base' },
    serving: { base_urls: [adapterUrl] },
    trainer: { base_url: trainerUrl, lora: { rank: 8, alpha: 16, dropout: 0 }, epochs: 6, seed: 3 },
    evaluation: { golden_set: 'golden/colours.jsonl' },
  });
}, 180_000);

afterAll(async () => {
  await supervisor?.stop();
  await stage?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Interactions that were corrected, a golden set, and a frozen dataset of a new cycle. */
async function frozenDataset(asOf: Date): Promise<{ cycleId: string; datasetId: string }> {
  const cycleId = await seedCycle(stage.db, MODEL, asOf);
  await collect(stage.db, { cycleId, asOf });
  const { datasetId } = await freezeDataset(stage.db, stage.store, { cycleId, asOf });
  return { cycleId, datasetId };
}

async function jobs(): Promise<{ status: string }[]> {
  const response = await fetch(`${trainerUrl}/v1/fine_tuning/jobs`);
  return ((await response.json()) as { data: { status: string }[] }).data;
}

describe('the reference trainer and adapter server', () => {
  it('make of corrected answers an adapter that answers right, through the whole chain of stages', async () => {
    const { db, store, root } = stage;
    const start = Date.now() - 600_000;
    for (let n = 0; n < 320; n += 1) {
      const feedback = [{ kind: 'correction', value: answer(n) }];
      const subject = `person-${n % 40}`;
      await seedInteraction(db, {
        model: MODEL,
        askedAt: new Date(start + n),
        question: question(n),
        answer: 'mauve',
        subject,
        feedback,
      });
    }
    const golden = Array.from({ length: 200 }, (_, n) => n + 1_000).map((n) => {
      const messages = [
        { role: 'user', content: question(n) },
        { role: 'assistant', content: answer(n) },
      ];
      return `${JSON.stringify({ messages })}\n`;
    });
    mkdirSync(path.join(root, 'golden'), { recursive: true });
    writeFileSync(path.join(root, 'golden', 'colours.jsonl'), golden.join(''));

    const asOf = new Date();
    const { cycleId, datasetId } = await frozenDataset(asOf);
    const key = `${MODEL}/first`;
    const submitted = await submitTraining(db, store, providers, { cycleId, datasetId, key, asOf });
    const again = await submitTraining(db, store, providers, { cycleId, datasetId, key, asOf });
    expect(again).toEqual(submitted);
    const progress: unknown[] = [];
    const trained = await followTraining(db, store, providers, {
      trainingRunId: submitted.trainingRunId,
      deadline: new Date(Date.now() + 120_000),
      onProgress: (step) => progress.push(step),
    });
    expect(trained.steps).toBeGreaterThan(0);
    expect(trained.lastLoss!).toBeLessThan(trained.firstLoss!);
    expect(progress.length).toBeGreaterThan(0);
    expect(await jobs()).toHaveLength(1);

    const { version, servedAs } = await registerVersion(db, { cycleId, trainingRunId: trained.trainingRunId });
    await loadVersion(db, store, noSecrets, { model: MODEL, version });
    const gate = await evaluate(db, store, noSecrets, { cycleId, champion: 1, candidate: version, asOf });
    expect(gate).toMatchObject({ passed: true, noGate: false, n: 200 });
    expect(gate.challenger!).toBeGreaterThan(gate.champion! + 0.3);

    expect(await unloadVersion(db, store, noSecrets, { model: MODEL, version })).toEqual({ unloaded: true });
    const endpoint = { baseUrl: `${adapterUrl}/v1`, model: servedAs, apiKey: undefined };
    const asked = { messages: [{ role: 'user' as const, content: question(1) }], maxTokens: 8, timeoutMs: 10_000 };
    await expect(askChat({ ...endpoint, model: 'base' }, asked)).resolves.toBeTypeOf('string');
    await expect(askChat(endpoint, asked)).rejects.toThrow();
  }, 180_000);

  it('stop a job at a cancel, and start no other one under its key', async () => {
    const { db, store } = stage;
    for (let n = 0; n < 320; n += 1) {
      const feedback = [{ kind: 'correction', value: answer(n + 1) }];
      await seedInteraction(db, {
        model: MODEL,
        askedAt: new Date(Date.now() - 1_000 - n),
        question: `again ${question(n)}`,
        feedback,
      });
    }
    const asOf = new Date(Date.now() + 1_000_000);
    const { cycleId, datasetId } = await frozenDataset(asOf);
    const key = `${MODEL}/second`;
    await submitTraining(db, store, providers, { cycleId, datasetId, key, asOf });
    await cancelTraining(db, providers, { key });
    await cancelTraining(db, providers, { key });
    expect((await jobs()).map(({ status }) => status).sort()).toEqual(['cancelled', 'succeeded']);
  }, 120_000);
});
