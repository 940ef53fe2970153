import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { linesOf, temporaryFolder } from './support.js';

export interface MiniClone {
  folder: string;
  cache: string;
  /** Names of the tools that were called, in order. */
  calls(): string[];
  /** Starts `node setup/run.mjs …`; the answer tells how it went. */
  run(target: string, args?: readonly string[], env?: Record<string, string>): StartedRun;
}

export interface StartedRun {
  process: ChildProcess;
  output(): string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string; ms: number }>;
}

function write(file: string, text: string, mode = 0o644): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text, { mode });
}

/** What stands in for npm: it notes its call and brings packages whose programs make what the real ones make. */
const NPM = `
const fs = require('node:fs'), path = require('node:path');
note('npm');
const put = (file, text) => { fs.mkdirSync(path.dirname(file), { recursive: true }); fs.writeFileSync(file, text); };
put('node_modules/prisma/package.json', '{}');
put('node_modules/prisma/build/index.js', PRISMA);
put('node_modules/typescript/bin/tsc', TSC);`;

const PRISMA = `require('node:fs').mkdirSync('src/db/generated', { recursive: true });`;

const PROGRAM = `
const fs = require('node:fs');
fs.writeFileSync('program-pid', String(process.pid));
process.on('SIGTERM', () => { console.log('asked to stop'); process.exit(7); });
process.on('SIGINT', () => { console.log('interrupted'); process.exit(9); });
console.log('program ' + process.argv.slice(2).join(' '));
if (process.argv.includes('--stay')) setInterval(() => {}, 1000);
else process.exit(process.argv.includes('--fail') ? 3 : 0);`;

/**
 * A clone that has the real set-up but no real tools: npm, go, python and the rest are small programs that note when
 * they were called. \`slow\` makes a tool take that many milliseconds.
 */
export function miniClone(slow: Record<string, number> = {}): MiniClone {
  const folder = temporaryFolder();
  const cache = path.join(folder, 'cache');
  const notes = path.join(folder, 'calls');
  const at = (...parts: string[]) => path.join(folder, 'clone', ...parts);
  const note = (name: string) =>
    `require('node:fs').appendFileSync(${JSON.stringify(notes)}, ${JSON.stringify(`${name}\n`)});
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${slow[name] ?? 0});`;
  fs.cpSync(path.join(ROOT, 'setup'), at('setup'), { recursive: true });
  fs.rmSync(at('setup', 'demo-options.mjs'), { force: true });
  write(at('package.json'), JSON.stringify({ type: 'commonjs', dependencies: { '@temporalio/worker': '1.0.0' } }));
  write(at('package-lock.json'), JSON.stringify({ packages: { 'node_modules/wanted': { version: '1.0.0' } } }));
  write(at('prisma', 'schema.prisma'), '// schema');
  write(at('src', 'program.ts'), '');
  write(at('demo', 'main.ts'), '');
  write(at('trainer', 'requirements.lock'), 'torch==1.0\nnvidia-cublas==13.0\n');
  const tsc = `const fs = require('node:fs'); ${note('tsc')}
    fs.mkdirSync('dist/demo', { recursive: true }); fs.writeFileSync('dist/demo/main.js', ${JSON.stringify(PROGRAM)});`;
  write(
    at('npm.js'),
    NPM.replace("note('npm');", note('npm'))
      .replace('PRISMA', JSON.stringify(PRISMA))
      .replace('TSC', JSON.stringify(tsc)),
  );
  write(at('trainer', 'requirements-test.lock'), 'pytest==1.0\n');
  const tools = path.join(folder, 'tools');
  const tool = (name: string, script: string) =>
    write(path.join(tools, name), `#!${process.execPath}\n${script}`, 0o755);
  tool('git', '');
  tool(
    'go',
    `if (process.argv[2] === 'version') { console.log('go version go1.26.0 linux/amd64'); process.exit(); }
     ${note('go')}
     require('node:fs').writeFileSync(process.env.GOBIN + '/temporal', '#!/bin/sh\\n', { mode: 0o755 });`,
  );
  const python = `
    const fs = require('node:fs'), path = require('node:path');
    if (process.argv[2] === '-c') {
      console.log(JSON.stringify({ path: __filename, version: '3.12.1', venv: true, ensurepip: true }));
    } else if (process.argv[3] === 'venv') {
      ${note('venv')}
      fs.mkdirSync(process.argv[4] + '/bin', { recursive: true });
      fs.copyFileSync(__filename, process.argv[4] + '/bin/python');
    } else { ${note('pip')} }`;
  tool('python3', python);

  const environment = {
    PATH: tools,
    HOME: folder,
    UNDERSTUDY_CACHE: cache,
    // Nobody answers there, so everything is built.
    UNDERSTUDY_TEMPORAL_DOWNLOADS: 'http://127.0.0.1:9',
    UNDERSTUDY_TORCH_INDEX: 'http://127.0.0.1:9',
    npm_execpath: at('npm.js'),
  };
  return {
    folder: at(),
    cache,
    calls: () => linesOf(notes),
    run(target, args = [], env = {}) {
      const started = Date.now();
      const child = spawn(process.execPath, [at('setup', 'run.mjs'), target, '--', ...args], {
        cwd: at(),
        env: { ...environment, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          output += chunk;
        });
      }
      onTestFinished(() => {
        child.kill('SIGKILL');
      });
      const ended = new Promise<Awaited<StartedRun['ended']>>((resolve) => {
        child.once('close', (code, signal) => resolve({ code, signal, output, ms: Date.now() - started }));
      });
      return { process: child, output: () => output, ended };
    },
  };
}
