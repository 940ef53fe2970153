import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UnderstudyError } from '../../src/errors.js';
import { rollBack } from '../../src/experiments/index.js';
import { newId } from '../../src/interactions/index.js';
import { parsePolicy } from '../../src/policy/index.js';
import { seedExperiment, seedModel, seedVersion, startTestServer, type TestServer } from '../http/support.js';
import { policyDocument } from '../support/stage-fixtures.js';

/*
 * `schemathesis` against /openapi.json of a running server with data: every check, valid and invalid input, in all of its
 * phases. Where the program is: SCHEMATHESIS, else a virtual environment made for this run (python3 -m venv, from PyPI).
 */
const EXAMPLES = process.env.FUZZ_EXAMPLES ?? '100';
const SEED = process.env.FUZZ_SEED ?? '1';
const VERSION = '4.32.5';

let server: TestServer;
let folder: string;
let key: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-fuzz-'));
  server = await startTestServer();
  const { db } = server;
  for (const model of ['support', 'sales']) {
    await seedModel(server, model);
    await seedVersion(db, model, 2);
    const id = await seedExperiment(server, model);
    const { experiment, promotion } = parsePolicy(policyDocument(model));
    const settings = { experiment, promotion, min_rating: 0.75 } as object;
    await db.prisma.experiment.update({ where: { id }, data: { settings } });
  }
  server.rollBack.answer = ({ toVersion, ...input }) =>
    rollBack({ db, loadVersion: async () => undefined }, toVersion === undefined ? input : { ...input, toVersion });
  server.promote.answer = async () => {
    throw new UnderstudyError('not_found', { what: 'A running cycle' });
  };
  key = await server.key('admin');
  const interactions = Array.from({ length: 50 }, (_, n) => ({
    id: newId(),
    external_id: `a-${n}`,
    timestamp: new Date().toISOString(),
    model: 'support',
    request: { messages: [{ role: 'user', content: 'x' }] },
    response: { choices: [{ index: 0, message: { role: 'assistant', content: 'y' } }] },
  }));
  expect((await server.request('/v1/interactions', { key, body: { interactions } })).status).toBe(200);
  const feedback = interactions.map(({ id }) => ({ interaction: id, kind: 'thumbs', value: 1 }));
  expect((await server.request('/v1/feedback', { key, body: { feedback } })).status).toBe(200);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program, shows what it says, and answers its exit code. */
function run(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', cwd: folder });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function schemathesis(): Promise<string> {
  if (process.env.SCHEMATHESIS) return process.env.SCHEMATHESIS;
  const python = path.join(folder, 'venv', 'bin', 'python');
  expect(await run('python3', ['-m', 'venv', path.join(folder, 'venv')])).toBe(0);
  expect(await run(python, ['-m', 'pip', 'install', '--quiet', `schemathesis==${VERSION}`])).toBe(0);
  return path.join(folder, 'venv', 'bin', 'schemathesis');
}

it('schemathesis finds nothing', async () => {
  const code = await run(await schemathesis(), [
    'run',
    `${server.url}/openapi.json`,
    ...['--header', `Authorization: Bearer ${key}`],
    ...['--checks', 'all', '--mode', 'all', '--phases', 'examples,coverage,fuzzing,stateful'],
    ...['--max-examples', EXAMPLES, '--seed', SEED, '--continue-on-failure', '--request-timeout', '30'],
  ]);
  const failed = server.log.filter((line) => JSON.parse(line).level >= 50);
  expect(failed, 'errors in the log of the server').toEqual([]);
  expect(code).toBe(0);
});
