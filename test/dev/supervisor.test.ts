import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { identify, isRunning, processesMarked } from '#setup/processes.mjs';
import { openSupervisor, type Supervisor, type SupervisorEvent } from '../../src/dev/index.js';
import { eventually, linesOf, patientProgram, temporaryFolder } from './support.js';

async function supervisorIn(folder: string, events: SupervisorEvent[] = []): Promise<Supervisor> {
  const supervisor = await openSupervisor({
    stateDir: path.join(folder, 'processes'),
    handleSignals: false,
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => supervisor.stop());
  return supervisor;
}

describe('a supervisor', () => {
  test('stops its children in the reverse order of their start and leaves no record', async () => {
    const folder = temporaryFolder();
    const notes = path.join(folder, 'notes');
    const supervisor = await supervisorIn(folder);
    for (const name of ['first', 'second', 'third']) {
      await supervisor.spawn(name, process.execPath, patientProgram(notes, name), {
        logFile: path.join(folder, 'log'),
        ready: async () => linesOf(notes).some((line) => line.startsWith(`${name} started`)),
      });
    }
    supervisor.defer('a step between', async () => fs.appendFileSync(notes, 'deferred\n'));
    const pids = supervisor.running().map(({ pid }) => identify(pid));
    expect(pids.every(isRunning)).toBe(true);

    await supervisor.stop();

    expect(linesOf(notes).slice(3)).toEqual(['deferred', 'third stopped', 'second stopped', 'first stopped']);
    expect(pids.some(isRunning)).toBe(false);
    expect(fs.readdirSync(path.join(folder, 'processes'))).toEqual([]);
  });

  test('kills a child that does not listen, together with what that child has started', async () => {
    const folder = temporaryFolder();
    const notes = path.join(folder, 'notes');
    const supervisor = await supervisorIn(folder);
    const grandchild = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);";
    const program = `process.on('SIGTERM', () => {});
      const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}]);
      require('node:fs').writeFileSync(${JSON.stringify(notes)}, String(child.pid));`;
    const child = await supervisor.spawn('deaf', process.execPath, ['-e', program], {
      logFile: path.join(folder, 'log'),
      ready: async () => linesOf(notes).length > 0,
      stopTimeoutMs: 300,
    });
    const family = [identify(child.pid as number), identify(Number(linesOf(notes)[0]))];
    expect(family.every(isRunning)).toBe(true);
    await supervisor.stop();
    expect(family.some(isRunning)).toBe(false);
  });

  test.runIf(process.platform === 'linux')('ends a job that moved to a session of its own', async () => {
    const folder = temporaryFolder();
    const notes = path.join(folder, 'notes');
    const supervisor = await supervisorIn(folder);
    const program = `const job = require('node:child_process').spawn(
        process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
      require('node:fs').writeFileSync(${JSON.stringify(notes)}, String(job.pid));
      setInterval(() => {}, 1000);`;
    await supervisor.spawn('employer', process.execPath, ['-e', program], {
      logFile: path.join(folder, 'log'),
      ready: async () => linesOf(notes).length > 0,
    });
    const job = identify(Number(linesOf(notes)[0]));
    expect(isRunning(job)).toBe(true);
    await supervisor.stop();
    await eventually(() => !isRunning(job));
    expect(processesMarked('UNDERSTUDY_SUPERVISOR', supervisor.id)).toEqual([]);
  });

  test('replaces a child that was killed', async () => {
    const folder = temporaryFolder();
    const notes = path.join(folder, 'notes');
    const events: SupervisorEvent[] = [];
    const supervisor = await supervisorIn(folder, events);
    const worker = await supervisor.spawn('worker', process.execPath, patientProgram(notes, 'worker'), {
      logFile: path.join(folder, 'log'),
      ready: async () => linesOf(notes).length > 0,
      restart: { maxPerMinute: 3 },
    });
    const first = identify(worker.pid as number);
    worker.signal('SIGKILL');
    await eventually(() => linesOf(notes).length === 2);
    expect(worker.pid).not.toBe(first.pid);
    expect(worker.restarts).toBe(1);
    expect(isRunning(first)).toBe(false);
    expect(events.find((event) => event.type === 'exited')).toMatchObject({ exit: { code: null, signal: 'SIGKILL' } });
    expect(events.at(-1)).toMatchObject({ type: 'started', name: 'worker', restarts: 1 });
  });

  test('gives a child up that keeps ending, and says why', async () => {
    const folder = temporaryFolder();
    const events: SupervisorEvent[] = [];
    const supervisor = await supervisorIn(folder, events);
    await supervisor.spawn('moth', process.execPath, ['-e', 'setTimeout(() => process.exit(7), 50)'], {
      logFile: path.join(folder, 'log'),
      restart: { maxPerMinute: 2 },
    });
    const lost = await eventually(() => events.find((event) => event.type === 'lost'));
    expect(lost).toMatchObject({ name: 'moth', exit: { code: 7 }, reason: expect.stringContaining('2 times') });
    expect(events.filter((event) => event.type === 'exited')).toHaveLength(3);
    expect(supervisor.running()).toEqual([]);
  });

  test('reports the end of a child that is not to be replaced', async () => {
    const folder = temporaryFolder();
    const events: SupervisorEvent[] = [];
    const supervisor = await supervisorIn(folder, events);
    const child = await supervisor.spawn('single', process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      logFile: path.join(folder, 'log'),
    });
    child.signal('SIGKILL');
    const lost = await eventually(() => events.find((event) => event.type === 'lost'));
    expect(lost).toMatchObject({ name: 'single', exit: { signal: 'SIGKILL' } });
  });

  test('fails a start with the end of the log when the child ends before it is ready', async () => {
    const folder = temporaryFolder();
    const supervisor = await supervisorIn(folder);
    const starting = supervisor.spawn(
      'broken',
      process.execPath,
      ['-e', "console.error('no such disk'); process.exit(3)"],
      {
        logFile: path.join(folder, 'log'),
        ready: async () => false,
        restart: { maxPerMinute: 5 },
      },
    );
    await expect(starting).rejects.toThrow(/broken ended with code 3 before it was ready\.\nno such disk/);
    expect(supervisor.running()).toEqual([]);
  });

  test('fails a start when the program does not exist', async () => {
    const folder = temporaryFolder();
    const supervisor = await supervisorIn(folder);
    const starting = supervisor.spawn('nothing', path.join(folder, 'no-such-program'), [], {
      logFile: path.join(folder, 'log'),
      ready: async () => true,
    });
    await expect(starting).rejects.toThrow(/nothing ended without starting.*ENOENT/s);
  });

  test('stops a child that never gets ready', async () => {
    const folder = temporaryFolder();
    const notes = path.join(folder, 'notes');
    const supervisor = await supervisorIn(folder);
    const starting = supervisor.spawn('slow', process.execPath, patientProgram(notes, 'slow'), {
      logFile: path.join(folder, 'log'),
      ready: async () => false,
      readyTimeoutMs: 700,
    });
    await expect(starting).rejects.toThrow(/slow did not answer within 1 s/);
    expect(supervisor.running()).toEqual([]);
    expect(linesOf(notes).at(-1)).toBe('slow stopped');
  });

  test('goes on stopping when one step fails, and reports the failure', async () => {
    const folder = temporaryFolder();
    const supervisor = await openSupervisor({ stateDir: path.join(folder, 'processes'), handleSignals: false });
    const child = await supervisor.spawn('first', process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      logFile: path.join(folder, 'log'),
    });
    const identity = identify(child.pid as number);
    supervisor.defer('a broken step', () => Promise.reject(new Error('boom')));
    await expect(supervisor.stop()).rejects.toThrow(/not everything stopped/);
    expect(isRunning(identity)).toBe(false);
  });

  test('waits for a program that is meant to end', async () => {
    const folder = temporaryFolder();
    const events: SupervisorEvent[] = [];
    const supervisor = await supervisorIn(folder, events);
    const child = await supervisor.spawn('errand', process.execPath, ['-e', 'setTimeout(() => process.exit(5), 100)'], {
      logFile: path.join(folder, 'log'),
      oneShot: true,
    });
    expect(await child.completion()).toEqual({ code: 5, signal: null });
    expect(events.some((event) => event.type === 'lost')).toBe(false);
  });
});
