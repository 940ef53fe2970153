// The checks of the sources; each counts as one test.
import path from 'node:path';
import { ROOT } from './toolchain.mjs';

const bin = (name, file) => path.join(ROOT, 'node_modules', name, file);

/**
 * Name and program (with arguments, for `node`) of each check.
 * @type {{name: string, args: string[]}[]}
 */
export const CHECKS = [
  { name: 'format and lint (biome)', args: [bin('@biomejs/biome', 'bin/biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'un-awaited promises (oxlint)', args: [bin('oxlint', 'bin/oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types (tsc)', args: [bin('typescript', 'bin/tsc'), '--noEmit', '-p', '.'] },
  {
    name: 'who may import whom (dependency-cruiser)',
    args: [
      bin('dependency-cruiser', 'bin/dependency-cruise.mjs'),
      ...['src', 'demo', 'bench', 'test', '--config', '.dependency-cruiser.cjs', '--output-type', 'err-long'],
    ],
  },
  { name: 'and at run time (dependency-cruiser)', args: [path.join(ROOT, 'setup', 'check-runtime-imports.mjs')] },
  { name: 'dead code (knip)', args: [bin('knip', 'bin/knip.js'), '--no-progress'] },
];
