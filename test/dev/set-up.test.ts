import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { diskRefusal } from '#setup/main.mjs';
import { identify, isRunning, listProcesses } from '#setup/processes.mjs';
import { miniClone } from './mini-clone.js';
import { eventually, temporaryFolder } from './support.js';

const ONCE = ['go', 'npm', 'pip', 'tsc', 'venv'];

/** Drafts and locks in the cache that nobody uses any more. */
function remains(cache: string): string[] {
  return fs.readdirSync(cache).filter((name) => name.startsWith('draft-') || name.endsWith('.lock'));
}

function running(text: string): number {
  return listProcesses().filter(({ pid }) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  }).length;
}

describe('the set-up', () => {
  test('calls every tool once, runs the program, and has nothing to do the second time', async () => {
    const clone = miniClone();
    const first = await clone.run('demo', ['--seed', '7']).ended;
    expect(first.output).toContain('program --seed 7');
    expect(first.code).toBe(0);
    expect(clone.calls().toSorted()).toEqual(ONCE);
    expect(first.output).toMatch(/To download: about [\d.]+ [MG]B; on disk afterwards: about [\d.]+ [MG]B; free: /);
    expect(first.output).toMatch(/✓ npm packages\s+\d+\.\d s/);
    expect(remains(clone.cache)).toEqual([]);

    const second = await clone.run('demo').ended;
    expect(second.output).toBe('program \n');
    expect(clone.calls()).toHaveLength(ONCE.length);
    expect(second.ms).toBeLessThan(3000);
  });

  test('repeats only what is out of date', async () => {
    const clone = miniClone();
    await clone.run('setup').ended;
    fs.writeFileSync(path.join(clone.folder, 'src', 'program.ts'), '// changed');
    await clone.run('setup').ended;
    fs.writeFileSync(path.join(clone.folder, 'trainer', 'requirements.lock'), 'torch==2.0\n');
    await clone.run('setup').ended;
    expect(clone.calls().slice(ONCE.length)).toEqual(['tsc', 'venv', 'pip']);
  });

  test('passes the exit code of the program on', async () => {
    const clone = miniClone();
    expect((await clone.run('demo', ['--fail']).ended).code).toBe(3);
  });

  test('names everything that is missing at once, each with a cure, before it calls any tool', async () => {
    const clone = miniClone();
    const nothing = temporaryFolder();
    const { code, output } = await clone.run('test', [], { PATH: nothing }).ended;
    expect(code).toBe(1);
    expect(output).toContain('nothing was downloaded');
    for (const missing of ['Python 3.10 or newer with venv', 'git', 'Go 1.25 or newer', 'Java 17 or newer', 'Maven']) {
      expect(output).toContain(`- ${missing}`);
    }
    expect(output.match(/^ {6}\S/gm)).toHaveLength(5);
    expect(clone.calls()).toEqual([]);
  });

  test('names a Python without venv with the package that brings it', async () => {
    const clone = miniClone();
    const tools = temporaryFolder();
    const answer = JSON.stringify({ path: '/usr/bin/python3', version: '3.12.1', venv: true, ensurepip: false });
    for (const [name, text] of [
      ['python3', answer],
      ['apt-get', ''],
      ['git', ''],
      ['go', 'go version go1.26.0 x'],
    ] as const) {
      fs.writeFileSync(path.join(tools, name), `#!/bin/sh\necho '${text}'\n`, { mode: 0o755 });
    }
    const { code, output } = await clone.run('demo', [], { PATH: tools }).ended;
    expect(code).toBe(1);
    expect(output).toContain("Python's venv and ensurepip");
    expect(output).toMatch(/apt-get install -y python3\.12-venv/);
  });

  test('refuses to start the large download below 10 GB of free disk, and only that one', () => {
    expect(diskRefusal([{ large: true }], 9.9e9)).toMatch(/10\.0 GB must be free, and 9\.9 GB are/);
    expect(diskRefusal([{ large: true }], 10e9)).toBeUndefined();
    expect(diskRefusal([{}], 1e9)).toBeUndefined();
  });

  test('takes the official Temporal download where it can be reached, and builds nothing', async () => {
    const clone = miniClone();
    const made = temporaryFolder();
    fs.writeFileSync(path.join(made, 'temporal'), '#!/bin/sh\necho official\n', { mode: 0o755 });
    execFileSync('tar', ['-czf', 'archive.tar.gz', 'temporal'], { cwd: made });
    const asked: URL[] = [];
    const server = http.createServer((request, response) => {
      const url = new URL(request.url as string, `http://${request.headers.host}`);
      asked.push(url);
      if (url.pathname === '/archive') response.end(fs.readFileSync(path.join(made, 'archive.tar.gz')));
      else response.end(JSON.stringify({ archiveUrl: `${url.origin}/archive`, fileToExtract: 'temporal' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    const { code } = await clone.run('setup', [], {
      UNDERSTUDY_TEMPORAL_DOWNLOADS: address,
      PATH: `${path.dirname(clone.folder)}/tools:/usr/bin:/bin`,
    }).ended;
    expect(code).toBe(0);
    expect(clone.calls()).not.toContain('go');
    expect(asked[0]?.pathname).toBe('/cli/v1.5.1');
    const [temporal] = fs.readdirSync(clone.cache).filter((name) => name.startsWith('temporal-'));
    expect(execFileSync(path.join(clone.cache, temporal as string, 'temporal'), { encoding: 'utf8' })).toBe(
      'official\n',
    );
    expect(remains(clone.cache)).toEqual([]);
  });

  test('leaves pins of GPU libraries out, which other builds of PyTorch do not have', async () => {
    const clone = miniClone();
    await clone.run('setup').ended;
    const log = path.join(clone.cache, 'logs', 'python.log.requirements.txt');
    expect(fs.readFileSync(log, 'utf8')).toBe('torch==1.0\n');
  });

  test('checks the options of the demo within a second and before anything else', async () => {
    const clone = miniClone();
    fs.writeFileSync(
      path.join(clone.folder, 'setup', 'demo-options.mjs'),
      `export const checkDemoOptions = (argv) =>
        argv.includes('--bad') ? { ok: false, message: 'line 3: no correction' } : { ok: true };`,
    );
    const { code, output, ms } = await clone.run('demo', ['--bad']).ended;
    expect(code).toBe(2);
    expect(output).toBe('line 3: no correction\n');
    expect(ms).toBeLessThan(1000);
    expect(clone.calls()).toEqual([]);
  });

  test('says where the output of a failed step is, and goes on from there the next time', async () => {
    const clone = miniClone();
    const npm = path.join(clone.folder, 'npm.js');
    const working = fs.readFileSync(npm, 'utf8');
    fs.writeFileSync(npm, "console.error('registry on fire'); process.exit(1);");
    const failed = await clone.run('setup').ended;
    expect(failed.code).toBe(1);
    expect(failed.output).toMatch(
      /npm packages failed: .*exit code 1\nregistry on fire\nIts whole output is in .*packages\.log/,
    );
    fs.writeFileSync(npm, working);
    expect((await clone.run('setup').ended).code).toBe(0);
  });
});

describe('two set-ups at once', () => {
  test('share the work: every tool is called once and both end well', async () => {
    const clone = miniClone({ npm: 400, go: 800, pip: 600 });
    const runs = await Promise.all([clone.run('setup').ended, clone.run('setup').ended, clone.run('setup').ended]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(clone.calls().toSorted()).toEqual(ONCE);
    expect(runs.filter(({ output }) => output.includes('waiting for another set-up (process ')).length).toBeGreaterThan(
      0,
    );
  });
});

describe('an interrupted set-up', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s leaves no process, no draft and no lock, and the next one finishes', async (signal, code) => {
    const clone = miniClone({ go: 60_000, pip: 60_000 });
    const run = clone.run('setup');
    await eventually(() => clone.calls().includes('pip') && clone.calls().includes('go'));
    run.process.kill(signal);
    const ended = await run.ended;
    expect(ended.code).toBe(code);
    expect(ended.output).toContain(`interrupted by ${signal}`);
    expect(remains(clone.cache)).toEqual([]);
    if (process.platform === 'linux') await eventually(() => running(path.dirname(clone.folder)) === 0);
    await finish(clone);
  });

  test('by SIGKILL ends its tools, and the next one takes the lock over and finishes', async () => {
    const clone = miniClone({ go: 60_000, pip: 60_000 });
    const run = clone.run('setup');
    await eventually(() => clone.calls().includes('pip') && clone.calls().includes('go'));
    run.process.kill('SIGKILL');
    if (process.platform === 'linux') await eventually(() => running(path.dirname(clone.folder)) === 0);
    expect(remains(clone.cache).length).toBeGreaterThan(0);
    await finish(clone);
  });

  async function finish(clone: ReturnType<typeof miniClone>): Promise<void> {
    for (const name of ['go', 'python3']) {
      const tool = path.join(path.dirname(clone.folder), 'tools', name);
      fs.writeFileSync(tool, fs.readFileSync(tool, 'utf8').replaceAll('60000', '0'));
    }
    expect((await clone.run('setup').ended).code).toBe(0);
    expect((await clone.run('demo').ended).output).toBe('program \n');
    expect(remains(clone.cache)).toEqual([]);
  }
});

describe('while the program runs', () => {
  test.each([
    ['SIGTERM', 7, 'asked to stop'],
    ['SIGINT', 9, 'interrupted'],
  ] as const)('%s reaches it once, and its exit code is ours', async (signal, code, said) => {
    const clone = miniClone();
    const run = clone.run('demo', ['--stay']);
    await eventually(() => run.output().includes('program --stay'), 20_000);
    run.process.kill(signal);
    run.process.kill(signal);
    const ended = await run.ended;
    expect(ended.code).toBe(code);
    expect(ended.output.split(said)).toHaveLength(2);
  });

  test('it is ended when the set-up program is killed', async () => {
    const clone = miniClone();
    const run = clone.run('demo', ['--stay']);
    await eventually(() => run.output().includes('program --stay'), 20_000);
    const program = identify(Number(fs.readFileSync(path.join(clone.folder, 'program-pid'), 'utf8')));
    run.process.kill('SIGKILL');
    await eventually(() => !isRunning(program), 10_000);
  });

  test('it is ended when the shell that npm put in between is killed', async () => {
    const clone = miniClone();
    await clone.run('setup').ended;
    const shell = spawn('/bin/sh', ['-c', `${process.execPath} setup/run.mjs demo -- --stay; exit 5`], {
      cwd: clone.folder,
      env: { PATH: process.env.PATH, UNDERSTUDY_CACHE: clone.cache, npm_lifecycle_event: 'demo' },
      stdio: 'ignore',
    });
    const file = path.join(clone.folder, 'program-pid');
    const program = identify(await eventually(() => fs.existsSync(file) && Number(fs.readFileSync(file, 'utf8'))));
    expect(isRunning(program)).toBe(true);
    shell.kill('SIGKILL');
    await eventually(() => !isRunning(program), 10_000);
  });
});
