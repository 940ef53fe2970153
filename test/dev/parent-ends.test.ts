import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { identify, isRunning, listProcesses, type ProcessIdentity, sendSignal } from '#setup/processes.mjs';
import { openSupervisor, type SupervisorEvent } from '../../src/dev/index.js';
import { compiledDev, parentProgram } from './compiled.js';
import { eventually, temporaryFolder } from './support.js';

let dev: string;
beforeAll(async () => {
  dev = await compiledDev();
});

function parentIn(folder: string, ending?: string) {
  const parent = spawn(process.execPath, parentProgram(dev, folder, ending), { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  parent.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  onTestFinished(() => {
    parent.kill('SIGKILL');
  });
  return { parent, exited: once(parent, 'exit') as Promise<[number | null, string | null]>, stderr: () => stderr };
}

async function childrenOf(folder: string): Promise<ProcessIdentity[]> {
  const file = path.join(folder, 'pids');
  const pids = await eventually(() => fs.existsSync(file) && (JSON.parse(fs.readFileSync(file, 'utf8')) as number[]));
  const children = pids.map(identify);
  expect(children).toHaveLength(2);
  return children;
}

function guardianOf(parent: number): ProcessIdentity {
  const found = listProcesses().find(
    ({ pid, ppid }) => ppid === parent && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('guardian.mjs'),
  );
  if (!found) throw new Error('the parent has no guardian');
  return found;
}

describe('when the parent ends', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('%s stops the children and the parent leaves with %i', async (signal, code) => {
    const folder = temporaryFolder();
    const { parent, exited } = parentIn(folder);
    const children = await childrenOf(folder);
    parent.kill(signal);
    expect((await exited)[0]).toBe(code);
    expect(children.some(isRunning)).toBe(false);
    expect(fs.readdirSync(path.join(folder, 'processes'))).toEqual([]);
  });

  test('an uncaught exception is shown, the children are stopped, and the parent leaves with 1', async () => {
    const folder = temporaryFolder();
    const { exited, stderr } = parentIn(folder, `setTimeout(() => { throw new Error('out of luck'); }, 300);`);
    const children = await childrenOf(folder);
    expect((await exited)[0]).toBe(1);
    expect(stderr()).toContain('out of luck');
    expect(children.some(isRunning)).toBe(false);
  });

  test('process.exit without a stop leaves the children to the guardian', async () => {
    const folder = temporaryFolder();
    const { exited } = parentIn(folder, 'setTimeout(() => process.exit(4), 300);');
    const children = await childrenOf(folder);
    expect((await exited)[0]).toBe(4);
    await eventually(() => !children.some(isRunning));
  });

  test('SIGKILL lets the guardian end the children within ten seconds and leave itself', async () => {
    const folder = temporaryFolder();
    const { parent, exited } = parentIn(folder);
    const children = await childrenOf(folder);
    const guardian = process.platform === 'linux' ? guardianOf(parent.pid as number) : undefined;
    // Asked before the kill: the guardian may be done by the time that the parent's end is noticed here.
    expect(children.every(isRunning)).toBe(true);
    parent.kill('SIGKILL');
    await exited;
    await eventually(() => !children.some(isRunning), 10_000);
    if (guardian) await eventually(() => !isRunning(guardian));
  });

  test.runIf(process.platform === 'linux')(
    'a guardian that was killed is replaced and still does its work',
    async () => {
      const folder = temporaryFolder();
      const { parent } = parentIn(folder);
      const children = await childrenOf(folder);
      const first = guardianOf(parent.pid as number);
      sendSignal(first.pid, 'SIGKILL');
      await eventually(() => {
        try {
          return guardianOf(parent.pid as number).pid !== first.pid;
        } catch {
          return false;
        }
      });
      parent.kill('SIGKILL');
      await eventually(() => !children.some(isRunning), 10_000);
    },
  );
});

describe('the next start', () => {
  test.runIf(process.platform === 'linux')('ends what is left when parent and guardian were both killed', async () => {
    const folder = temporaryFolder();
    const { parent, exited } = parentIn(folder);
    const children = await childrenOf(folder);
    const guardian = guardianOf(parent.pid as number);
    // Stopped first, so that it cannot put a new guardian in place of the killed one.
    parent.kill('SIGSTOP');
    sendSignal(guardian.pid, 'SIGKILL');
    parent.kill('SIGKILL');
    await exited;
    await eventually(() => !isRunning(guardian));
    expect(children.every(isRunning)).toBe(true);

    const events: SupervisorEvent[] = [];
    const stateDir = path.join(folder, 'processes');
    const supervisor = await openSupervisor({ stateDir, handleSignals: false, onEvent: (event) => events.push(event) });
    onTestFinished(() => supervisor.stop());
    await eventually(() => !children.some(isRunning));
    expect(events).toEqual([{ type: 'leftovers_ended', names: ['gentle', 'stubborn'] }]);
    expect(fs.readdirSync(stateDir)).toHaveLength(1);
  });

  test('spares a process whose id is recorded but whose start time is another', async () => {
    const folder = temporaryFolder();
    const stateDir = path.join(folder, 'processes');
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      detached: true,
      stdio: 'ignore',
    });
    onTestFinished(() => {
      bystander.kill('SIGKILL');
    });
    const identity = identify(bystander.pid as number);
    fs.mkdirSync(stateDir, { recursive: true });
    const gone = { pid: 2 ** 22 + 1, start: 'long ago' };
    const state = {
      supervisor: 'an-old-one',
      owner: gone,
      children: [{ ...identity, start: 'long ago', name: 'old' }],
    };
    fs.writeFileSync(path.join(stateDir, 'processes-an-old-one.json'), JSON.stringify(state));

    const events: SupervisorEvent[] = [];
    const supervisor = await openSupervisor({ stateDir, handleSignals: false, onEvent: (event) => events.push(event) });
    onTestFinished(() => supervisor.stop());
    expect(isRunning(identity)).toBe(true);
    expect(events).toEqual([]);
    expect(fs.readdirSync(stateDir)).toHaveLength(1);
  });

  test('leaves the children of a supervisor that still runs alone', async () => {
    const folder = temporaryFolder();
    parentIn(folder);
    const children = await childrenOf(folder);
    const stateDir = path.join(folder, 'processes');
    const supervisor = await openSupervisor({ stateDir, handleSignals: false });
    onTestFinished(() => supervisor.stop());
    expect(children.every(isRunning)).toBe(true);
  });
});
