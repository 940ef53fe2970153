// The set-up reads top to bottom like this: check the options, see what is missing, say what it costs, bring it, run.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pythonStep, pythonTests, temporalStep, testServerStep } from './cache-steps.mjs';
import { build, client, demoOptionsModule, packages, sdkVersion } from './clone-steps.mjs';
import { runCommand } from './command.mjs';
import { openGuard } from './guard.mjs';
import { launch } from './launch.mjs';
import { onParentGone } from './parents.mjs';
import { checkPrerequisites, freeBytes } from './prerequisites.mjs';
import { Progress, seconds } from './progress.mjs';
import { runSteps, StepError } from './steps.mjs';
import { cacheDir, MissingToolError, ROOT } from './toolchain.mjs';

const USAGE = 'usage: node setup/run.mjs demo|test|dev|bench|faults|setup [--] [arguments]';
const MINIMUM_FREE = 10e9;

const PROGRAMS = {
  demo: (args) => [path.join(ROOT, 'dist', 'demo', 'main.js'), ...args],
  test: (args) => [path.join(ROOT, 'setup', 'test.mjs'), ...args],
  dev: (args) => [path.join(ROOT, 'dist', 'src', 'cli.js'), 'dev', ...args],
  bench: (args) => [path.join(ROOT, 'dist', 'bench', 'main.js'), ...args],
  faults: (args) => [
    path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...['--config', path.join('test', 'faults', 'vitest.config.ts')],
    ...reportAsJson(args),
  ],
};

/** `--json FILE` in the words of vitest; the file is the caller's, wherever npm went from there. */
function reportAsJson(args) {
  const at = args.indexOf('--json');
  if (at === -1) return args;
  const file = path.resolve(process.env.INIT_CWD ?? process.cwd(), args[at + 1] ?? 'faults.json');
  return [...args.toSpliced(at, 2), '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
}

/** What the check of the machine found out, for the steps that it concerns. */
const found = { python: undefined, temporal: undefined, testServer: undefined };

function stepsFor(target, args) {
  // Unit tests run from the sources and start nothing.
  if (target === 'test' && args.includes('--unit')) return [packages, client];
  // A bench brings its own peers when it runs.
  if (target === 'bench') return [packages, client, build];
  const temporal = temporalStep(() => found.temporal);
  if (target === 'faults') return [packages, client, build, temporal];
  const demo = [packages, client, build, temporal, pythonStep(() => found.python)];
  return target === 'test' ? [...demo, testServerStep(() => found.testServer), pythonTests] : demo;
}

/** An exit code when the demo's options say that nothing is to be set up: they are wrong, or ask for help. */
async function checkOptions(target, args, progress) {
  const module = target === 'demo' ? demoOptionsModule() : undefined;
  if (!module) return undefined;
  const { checkDemoOptions, usage } = await import(module);
  const { ok, message, options } = checkDemoOptions(args);
  if (!ok) progress.say(message);
  else if (options?.help) process.stdout.write(`${usage}\n`);
  else return undefined;
  return ok ? 0 : 2;
}

function gigabytes(bytes) {
  return bytes < 0.95e9 ? `${Math.max(1, Math.round(bytes / 1e6))} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Why there is too little room, or undefined. `free` in bytes. */
export function diskRefusal(pending, free) {
  if (free >= MINIMUM_FREE || !pending.some((step) => step.large)) return undefined;
  return (
    `The Python libraries need room: ${gigabytes(MINIMUM_FREE)} must be free, and ${gigabytes(free)} are.\n` +
    'Free some, or set UNDERSTUDY_CACHE to a folder on a larger disk.'
  );
}

function announcement(pending, free) {
  const sizes = pending.map((step) => step.size?.() ?? { download: 0, disk: 0 });
  const sum = (key) => sizes.reduce((total, size) => total + size[key], 0);
  const title = `Set-up of Understudy: ${pending.map((step) => step.title).join(', ')}.`;
  if (sum('download') === 0) return title;
  return (
    `${title}\nTo download: about ${gigabytes(sum('download'))}; on disk afterwards: about ${gigabytes(sum('disk'))}; ` +
    `free: ${gigabytes(free)}. Downloads are kept in ${cacheDir()}.`
  );
}

function describeMissing(problems) {
  const lines = problems.map(({ what, cure }) => `  - ${what}\n      ${cure}`);
  return `Missing on this machine (nothing was downloaded):\n${lines.join('\n')}`;
}

/** Brings what is missing. Returns an exit code when the target cannot be run. */
async function setUp(steps, { progress, signal, guard }) {
  const started = Date.now();
  const pending = steps.filter((step) => !step.isDone());
  if (pending.length === 0) return undefined;
  const { problems, ...rest } = await checkPrerequisites(new Set(pending.map((step) => step.id)), sdkVersion());
  if (problems.length > 0) {
    progress.say(describeMissing(problems));
    return 1;
  }
  Object.assign(found, rest);
  const free = freeBytes(cacheDir());
  progress.say(announcement(pending, free));
  const refusal = diskRefusal(pending, free);
  if (refusal) {
    progress.say(refusal);
    return 1;
  }
  const run = (command, args, options) => runCommand(command, args, { guard, ...options });
  await runSteps(steps, { progress, signal, run });
  progress.say(`Set-up done in ${seconds(Date.now() - started)}.`);
  return undefined;
}

/** Signals go to the set-up first, and to the program once it runs. */
function routeSignals() {
  const stop = new AbortController();
  let handler = (signal) => stop.abort(new Interrupted(signal));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => handler(signal));
  onParentGone(() => handler('SIGTERM'));
  return {
    signal: stop.signal,
    onSignal(next) {
      handler = next;
    },
  };
}

class Interrupted extends Error {
  constructor(signal) {
    super(`interrupted by ${signal}`);
    this.code = 128 + os.constants.signals[signal];
  }
}

/** @returns {Promise<number>} the exit code */
export async function main([target, ...rest]) {
  const args = rest[0] === '--' ? rest.slice(1) : rest;
  const progress = new Progress();
  if (target !== 'setup' && !PROGRAMS[target]) {
    progress.say(USAGE);
    return 2;
  }
  const answered = await checkOptions(target, args, progress);
  if (answered !== undefined) return answered;
  const { signal, onSignal } = routeSignals();
  // Every process below carries this mark; the guardian and the check for leftovers find them by it.
  const mark = { name: 'UNDERSTUDY_RUN', value: randomUUID() };
  const guard = openGuard(mark);
  process.env[mark.name] = mark.value;
  try {
    fs.mkdirSync(cacheDir(), { recursive: true });
    const refused = await setUp(stepsFor(target, args), { progress, signal, guard });
    if (refused !== undefined || target === 'setup') return refused ?? 0;
    return await launch(PROGRAMS[target](args), { guard, onSignal });
  } catch (error) {
    if (error instanceof Interrupted) {
      progress.say(`${error.message}; what is done is kept, the next run goes on from there`);
      return error.code;
    }
    progress.say(
      error instanceof StepError || error instanceof MissingToolError ? error.message : (error.stack ?? error),
    );
    return 1;
  } finally {
    guard.dismiss();
  }
}
