// Checks who imports whom at run time: compiles without looking at types, which takes a second and removes the imports
// that are types only, and has dependency-cruiser look at the result.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { ROOT } from './toolchain.mjs';

const COMPILED = path.join('.understudy', 'imports');

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

// A module whose source is gone would still be seen.
fs.rmSync(path.join(ROOT, COMPILED), { recursive: true, force: true });
run(
  path.join('node_modules', 'typescript', 'bin', 'tsc'),
  ...[
    '-p',
    path.join('setup', 'tsconfig.build.json'),
    '--noCheck',
    '--incremental',
    'false',
    '--tsBuildInfoFile',
    'null',
  ],
  ...['--sourceMap', 'false', '--outDir', COMPILED],
);
run(
  path.join('node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs'),
  COMPILED,
  ...['--config', '.dependency-cruiser.runtime.cjs', '--output-type', 'err-long'],
);
