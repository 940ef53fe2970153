// `npm test`: the checks of the sources, the TypeScript tests, the Python tests, and whether anything is left running.
// The last line is `N passed, N failed`, with `, N skipped` when some were.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { openGuard } from './guard.mjs';
import { launch } from './launch.mjs';
import { leftovers } from './leftovers.mjs';
import { runChecks } from './lint.mjs';
import { seconds } from './progress.mjs';
import { readJunit, readVitest, sum } from './test-counts.mjs';
import { pythonTestLibraryDir, ROOT, trainerDir, trainerPython } from './toolchain.mjs';

const print = (text) => process.stdout.write(`${text}\n`);

/** Prints the end of a part and hands its counts on; what throws is a failure, and an interrupted run does nothing more. */
async function part(title, tools, work) {
  if (tools.signal.aborted) return { passed: 0, failed: 0 };
  print(`\n${title}`);
  const started = Date.now();
  const counts = await work().catch((error) => {
    print(error.stack ?? String(error));
    return { passed: 0, failed: 1 };
  });
  const skipped = counts.skipped ? `, ${counts.skipped} skipped` : '';
  print(`${title}: ${counts.passed} passed, ${counts.failed} failed${skipped} (${seconds(Date.now() - started)})`);
  return counts;
}

async function vitest(folder, args, tools) {
  const report = path.join(folder, 'vitest.json');
  const program = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await launch([program, 'run', ...reporters, ...args], tools);
  return readVitest(report, code);
}

async function pytest(folder, tools) {
  const report = path.join(folder, 'pytest.xml');
  const PYTHONPATH = [trainerDir(), pythonTestLibraryDir()].join(path.delimiter);
  const args = [
    '-m',
    'pytest',
    '-q',
    '-p',
    'no:cacheprovider',
    `--junitxml=${report}`,
    path.join(trainerDir(), 'tests'),
  ];
  const env = { ...tools.env, PYTHONPATH, TOKENIZERS_PARALLELISM: 'false' };
  const code = await launch(args, { ...tools, env, program: trainerPython() });
  return readJunit(report, code);
}

function selection(args) {
  const unit = args.includes('--unit');
  const further = args.filter((arg) => arg !== '--unit');
  return { all: !unit && further.length === 0, vitestArgs: [...(unit ? ['--project', 'unit'] : []), ...further] };
}

async function run(args, folder, tools) {
  const { all, vitestArgs } = selection(args);
  const counts = [];
  if (all) counts.push(await part('Checks', tools, async () => runChecks({ signal: tools.signal })));
  counts.push(
    await part(args.includes('--unit') ? 'Unit tests' : 'Tests', tools, async () => vitest(folder, vitestArgs, tools)),
  );
  if (all) counts.push(await part('Trainer tests', tools, async () => pytest(folder, tools)));
  counts.push(await part('Nothing is left running', tools, async () => leftovers(tools.env.UNDERSTUDY_RUN, folder)));
  return sum(counts);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-run-'));
// Tests put their files below it, other users' processes included (Postgres), so a command line tells whose it is.
fs.chmodSync(folder, 0o755);
const mark = { name: 'UNDERSTUDY_RUN', value: randomUUID() };
const guard = openGuard(mark);
const stop = new AbortController();
const handlers = [];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stop.abort();
    handlers.at(-1)?.(signal);
  });
}
const tools = {
  guard,
  signal: stop.signal,
  onSignal: (handler) => handlers.push(handler),
  env: { [mark.name]: mark.value, TMPDIR: folder },
};
try {
  const { passed, failed, skipped } = await run(process.argv.slice(2), folder, tools);
  const ok = failed === 0 && passed > 0 && !stop.signal.aborted;
  process.exitCode = ok ? 0 : 1;
  print(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
} finally {
  guard.dismiss();
  fs.rmSync(folder, { recursive: true, force: true });
}
