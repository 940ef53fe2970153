import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { leftovers } from '#setup/leftovers.mjs';
import { isAtLeast, parseVersion } from '#setup/prerequisites.mjs';
import { readJunit, readVitest, sum } from '#setup/test-counts.mjs';
import { temporaryFolder } from './support.js';

function reportOf(content: unknown): string {
  const file = path.join(temporaryFolder(), 'report');
  fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe('the counts of the test program', () => {
  const fine = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, testResults: [] };

  test('take passed, failed and skipped tests from the report', () => {
    expect(readVitest(reportOf({ ...fine, numFailedTests: 2 }), 1)).toEqual({ passed: 3, failed: 2, skipped: 2 });
  });

  test('count a file that could not be loaded as a failure', () => {
    const testResults = [
      { status: 'failed', assertionResults: [] },
      { status: 'passed', assertionResults: [{ status: 'passed' }] },
    ];
    expect(readVitest(reportOf({ ...fine, testResults }), 1).failed).toBe(1);
  });

  test('count an error outside of any test as a failure', () => {
    expect(readVitest(reportOf(fine), 1)).toEqual({ passed: 3, failed: 1, skipped: 2 });
  });

  test('count a program that left no report as a failure', () => {
    const nowhere = path.join(temporaryFolder(), 'nothing');
    expect(readVitest(nowhere, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(readJunit(nowhere, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  test('take errors of fixtures and failures from a JUnit report', () => {
    const xml =
      '<testsuites name="x"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.0">';
    expect(readJunit(reportOf(xml), 1)).toEqual({ passed: 4, failed: 3, skipped: 3 });
  });

  test('add up', () => {
    expect(
      sum([
        { passed: 1, failed: 2 },
        { passed: 3, failed: 0, skipped: 4 },
      ]),
    ).toEqual({ passed: 4, failed: 2, skipped: 4 });
  });
});

describe('the look for processes that are left running', () => {
  const stay = ['-e', 'setInterval(() => {}, 1000)'];

  async function lookAfterStarting(
    args: string[],
    env: Record<string, string>,
    run: string,
    folder: string,
    patience = 300,
  ) {
    const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: 'ignore', detached: true });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
    await once(child, 'spawn');
    return { result: await leftovers(run, folder, patience), exited };
  }

  test.runIf(process.platform === 'linux')('finds one by its mark, wherever it moved, and ends it', async () => {
    const run = randomUUID();
    const { result, exited } = await lookAfterStarting(stay, { UNDERSTUDY_RUN: run }, run, '/nowhere/at/all');
    expect(result).toEqual({ passed: 0, failed: 1 });
    expect((await exited)[1]).toBe('SIGKILL');
  });

  test('finds one by the folder for temporary files on its command line', async () => {
    const folder = temporaryFolder();
    const { result } = await lookAfterStarting([...stay, path.join(folder, 'data')], {}, randomUUID(), folder);
    expect(result).toEqual({ passed: 0, failed: 1 });
  });

  test('waits for one that is about to end, and passes', async () => {
    const run = randomUUID();
    const brief = ['-e', 'setTimeout(() => {}, 100)'];
    const { result } = await lookAfterStarting(brief, { UNDERSTUDY_RUN: run }, run, '/nowhere/at/all', 10_000);
    expect(result).toEqual({ passed: 1, failed: 0 });
  });
});

test('versions are compared number by number', () => {
  expect(isAtLeast(parseVersion('v20.20.2'), [20, 19])).toBe(true);
  expect(isAtLeast(parseVersion('20.9.0'), [20, 19])).toBe(false);
  expect(isAtLeast(parseVersion('3.10'), [3, 10])).toBe(true);
  expect(isAtLeast(parseVersion('3.9.18'), [3, 10])).toBe(false);
  expect(isAtLeast(parseVersion('17'), [17])).toBe(true);
  expect(isAtLeast(parseVersion(undefined), [1])).toBe(false);
});
