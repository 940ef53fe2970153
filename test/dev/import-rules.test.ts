import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '#setup/toolchain.mjs';
import { temporaryFolder } from './support.js';

/** Runs dependency-cruiser with one of our configurations over files that consist of the given import lines. */
function violations(config: string, files: Record<string, string>, roots: string[]): string[] {
  const folder = temporaryFolder();
  for (const name of [config, 'tsconfig.json', 'package.json']) {
    fs.copyFileSync(path.join(ROOT, name), path.join(folder, name));
  }
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, `${text}\nexport const value = 1;\n`);
  }
  const program = path.join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const args = [program, ...roots, '--config', config, '--output-type', 'json'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  const { summary } = JSON.parse(stdout) as { summary: { violations: { rule: { name: string }; from: string }[] } };
  return summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`).toSorted();
}

test('imports that break the rules of the rooms are found, those that keep them are not', () => {
  const files = {
    'src/errors.ts': '',
    'src/db/index.ts': '',
    'src/dev/index.ts': '',
    'src/policy/index.ts': "import '../errors.js';",
    'src/stats/normal.ts': '',
    'src/routing/index.ts': "import '../db/index.js'; import '../stats/normal.js';",
    'src/routing/route.ts': '',
    'src/registry/index.ts': "import '../routing/index.js';",
    'src/activities/load.ts': "import '../registry/index.js';",
    'src/workflows/index.ts': "import '@temporalio/workflow'; import '../policy/index.js';",
    'src/http/server.ts': "import '../registry/index.js';",
    'src/cli.ts': "import './dev/index.js'; import './registry/index.js';",
    // From here on each breaks one rule.
    'src/stats/impure.ts': "import '../errors.js';",
    'src/routing/inner.ts': "import '../experiments/judge.js';",
    'src/experiments/judge.ts': '',
    'src/datasets/index.ts': "import '../http/server.js';",
    'src/workflows/impatient.ts': "import '../registry/index.js';",
    'src/workflows/random.ts': "import 'node:crypto';",
    'src/monitoring/index.ts': "import '../workflows/index.js';",
    'src/db/curious.ts': "import '../routing/index.js';",
    'src/activities/nosy.ts': "import '../routing/route.js';",
    'src/gateway/embedded.ts': "import '../dev/index.js';",
    'src/telemetry/lost.ts': "import './nowhere.js';",
    'demo/main.ts': "import '../src/dev/index.js';",
    'src/serving/advert.ts': "import '../../demo/main.js';",
  };
  expect(violations('.dependency-cruiser.cjs', files, ['src', 'demo'])).toEqual([
    'demo-is-a-leaf: src/serving/advert.ts',
    'edge-rooms: src/gateway/embedded.ts',
    'embedded-parts-are-for-development: src/gateway/embedded.ts',
    'foundations-stand-alone: src/db/curious.ts',
    'no-unknown-modules: src/telemetry/lost.ts',
    'rooms-through-their-index: src/activities/nosy.ts',
    'stages-build-on-foundations: src/datasets/index.ts',
    'stages-build-on-foundations: src/monitoring/index.ts',
    'stages-through-their-index: src/routing/inner.ts',
    'stats-is-pure: src/stats/impure.ts',
    'workflows-packages: src/workflows/random.ts',
    'workflows-rooms: src/workflows/impatient.ts',
    'workflows-stay-behind-temporal: src/monitoring/index.ts',
  ]);
});

test('what may be imported as a type only is found when it is there at run time', () => {
  const at = (name: string) => `.understudy/imports/src/${name}`;
  const files = {
    [at('config.js')]: '',
    [at('cli.js')]: "import './config.js';",
    [at('activities/train.js')]: '',
    [at('workflows/cycle.js')]: "import '../activities/train.js';",
    [at('temporal/types.js')]: "import '../activities/train.js';",
    [at('routing/index.js')]: "import '../config.js';",
    [at('db/one.js')]: "import './other.js';",
    [at('db/other.js')]: "import './one.js';",
    [at('http/client.js')]: "import 'openai';",
  };
  expect(violations('.dependency-cruiser.runtime.cjs', files, ['.understudy/imports'])).toEqual([
    `config-at-the-roots: ${at('routing/index.js')}`,
    `no-circles: ${at('db/one.js')}`,
    `no-development-packages-in-production: ${at('http/client.js')}`,
    `temporal-runs-alone: ${at('temporal/types.js')}`,
    `workflows-types-of-activities: ${at('workflows/cycle.js')}`,
  ]);
});
