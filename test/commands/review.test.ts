import { execFile } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { startExperiment } from '../../src/experiments/index.js';
import { useTestDatabase } from '../support/database.js';
import { fillArm, seedCycle, seedModel } from '../support/experiment-data.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');

const database = await useTestDatabase();
const { db } = database;

function understudy(input: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: database.url, UNDERSTUDY_SUBJECT_KEY: 'a key of the tests, long enough' };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, 'review', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

it('draws, hands out, takes grades and tells how far it is', { timeout: 90_000 }, async () => {
  const now = Date.now();
  const model = await seedModel(db);
  const started = { cycleId: await seedCycle(db, model), candidate: 2, expectedEpoch: 1, asOf: new Date(now - 60_000) };
  const { experimentId } = (await startExperiment(db, started)) as { experimentId: string };
  const common = { model, experimentId, subjects: 10, positives: 0, from: new Date(now - 50_000) };
  await fillArm(db, { ...common, arm: 'champion', version: 1 });
  await fillArm(db, { ...common, arm: 'challenger', version: 2 });

  expect(await understudy('', 'sample', model, '--per-arm', '2')).toMatchObject({
    code: 0,
    stdout: `${model}: draw 1, 2 answers of each arm.\n`,
  });
  const { stdout } = await understudy('', 'items', model);
  const items = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { item: string });
  expect(items).toHaveLength(4);
  // The lines as they were handed out, each with its grade, and one that nobody drew.
  const stranger = { item: '00000000-0000-4000-8000-000000000000', grade: 1 };
  const lines = [...items.slice(0, 3).map((item) => ({ ...item, grade: 1 })), stranger];
  const graded = await understudy(lines.map((line) => JSON.stringify(line)).join('\n'), 'grade', model, '-');
  expect(graded).toMatchObject({
    code: 1,
    stdout: `${model}: 3 grades of reviewer stored, 0 known already, 1 of items that were not drawn, 0 refused.\n`,
  });
  const bad = await understudy('{"item": "x"}\n', 'grade', model, '-');
  expect(bad).toMatchObject({ code: 1, stderr: expect.stringMatching(/^invalid_option: .*line 1 is not/) });
  const status = await understudy('', 'status', model);
  expect(status.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    [`${model}: 4 answers of experiment ${experimentId} in 1 draw.`],
    ['source', 'graded', 'mean', 'both graded', 'agreement', 'kappa'],
    ['reviewer', '3', '1.000', '–', '–', '–'],
    [''],
  ]);
});
