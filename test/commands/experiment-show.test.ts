import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { showExperiment, startExperiment, takeLook } from '../../src/experiments/index.js';
import { useTestDatabase } from '../support/database.js';
import { at, fillArm, quickPolicy, seedCycle, seedModel } from '../support/experiment-data.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');

const database = await useTestDatabase();
const { db } = database;

function understudy(...args: string[]) {
  const env = { ...process.env, DATABASE_URL: database.url, UNDERSTUDY_SUBJECT_KEY: 'a key of the tests, long enough' };
  return promisify(execFile)(process.execPath, [CLI, ...args], { env }).then(
    ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );
}

it('shows the looks of the newest experiment and its metrics in both arms, unknown where nothing was measured', async () => {
  const metrics = [
    { kind: 'latency' as const },
    { kind: 'error_rate' as const, name: 'failed' },
    { kind: 'score' as const, name: 'quality', score: 'judge/quality' },
  ];
  const model = await seedModel(db, { policy: { experiment: { ...quickPolicy('m').experiment, metrics } } });
  await expect(showExperiment(db, model)).rejects.toMatchObject({ code: 'not_found' });
  await expect(showExperiment(db, 'nobody')).rejects.toMatchObject({ code: 'unknown_model' });
  const cycleId = await seedCycle(db, model, at(-10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch: 1, asOf: at(0) });
  const { experimentId } = facts as { experimentId: string };
  const common = { model, experimentId, subjects: 50, from: at(1) };
  await fillArm(db, { ...common, arm: 'champion', version: 1, positives: 125, latencyMs: () => 120 });
  await fillArm(db, { ...common, arm: 'challenger', version: 2, positives: 130, failed: 25, latencyMs: () => 80 });
  await takeLook(db, { experimentId, k: 1, asOf: at(60), isLast: false });

  const { code, stdout } = await understudy('experiment', 'show', model);
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toBe(`${model}: experiment ${experimentId}: version 2 against 1, share 0.5, by positive_feedback`);
  expect(lines[1]).toBe('from 2026-11-20T12:00:00.000Z: goes on');
  expect(lines[2]).toMatch(
    /^look 1, 2026-11-20T12:01:00\.000Z: wait\. Goes on: not significant\. challenger 52\.0% of 250/,
  );
  expect(lines.slice(3, 7).map((line) => line.split(/ {2,}/))).toEqual([
    ['metric', 'champion', 'of', 'challenger', 'of', 'difference', 'interval', 'better'],
    ['latency', '120', '250', '80', '250', '-40', '-40 to -40', 'less'],
    ['failed', '0.0%', '250', '10.0%', '250', '10.0%', expect.stringMatching(/^\d\.\d% to 1\d\.\d%$/), 'less'],
    ['quality', 'unknown', '0', 'unknown', '0', 'unknown', 'unknown', 'more'],
  ]);
  expect(await showExperiment(db, model, experimentId)).toMatchObject({
    looks: [{ k: 1, metrics: [{ name: 'latency' }, {}, {}] }],
  });

  const explored = await understudy('experiment', 'explore', model, '--id', experimentId);
  expect(explored.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    [`${model}: experiment ${experimentId}: version 2 against 1, by positive_feedback; above 0 is better`],
    ['look 1, 2026-11-20T12:01:00.000Z; intervals with the boundary of the look, 5.531'],
    ['', 'difference', 'interval', 'champion', 'challenger'],
    ['plain', '+0.02', expect.stringMatching(/^-0\.09\d+ to \+0\.13\d+$/), '50', '50'],
    ['adjusted for history', 'unknown', 'unknown', 'too few were here before'],
    ['who came early', '+0.02', 'unknown', '50', '50'],
    ['who came late', 'unknown', 'unknown', '0', '0', expect.stringMatching(/^from 2026-11-20T12:00:25/)],
    ['late less early', 'unknown', 'unknown'],
    ['To look at, not to decide by: only the looks are held against a boundary that counts how often one looks.'],
    [''],
  ]);
  expect(await understudy('experiment', 'explore', model, '--id', 'nonsense')).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringContaining('must be the id of an experiment'),
  });
});
