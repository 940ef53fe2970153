import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Bench } from './harness/index.js';
import { type BenchOptions, parseOptions, usage } from './harness/options.js';
import { commit, createReport, formatReport, machine } from './harness/report.js';
import { runBench } from './harness/run-bench.js';
import { createScreen } from './harness/screen.js';

/** Bench → its module: `<name>.js` beside this one, or `<name>/index.js`. */
function findBenches(): Map<string, string> {
  const here = new URL('.', import.meta.url);
  const entries = readdirSync(fileURLToPath(here), { withFileTypes: true }).flatMap((entry): [string, string][] => {
    if (entry.isDirectory()) {
      const index = new URL(`${entry.name}/index.js`, here);
      return entry.name !== 'harness' && existsSync(index) ? [[entry.name, index.href]] : [];
    }
    const [, name] = /^([\w-]+)\.js$/.exec(entry.name) ?? [];
    return name === undefined || name === 'main' ? [] : [[name, new URL(entry.name, here).href]];
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function load(address: string): Promise<Bench> {
  return ((await import(address)) as { bench: Bench }).bench;
}

async function main(): Promise<number> {
  const benches = findBenches();
  const screen = createScreen(process.stderr);
  let options: BenchOptions | undefined;
  try {
    // `npm run` starts scripts in the project's folder and keeps the folder it was called in aside.
    options = parseOptions(process.argv.slice(2), [...benches.keys()], process.env.INIT_CWD ?? process.cwd());
    // Not writable is found out now and not after half an hour.
    if (options?.json !== undefined) writeFileSync(options.json, '', { flag: 'a' });
  } catch (error) {
    screen.say((error as Error).message);
    return 2;
  }
  if (options === undefined) {
    screen.say(`${usage}\n\nBenches:`);
    for (const [name, address] of benches) screen.say(`  ${name.padEnd(16)} ${(await load(address)).summary}`);
    return 0;
  }
  const bench = await load(benches.get(options.name)!);
  const here = { quick: options.quick, machine: machine(), commit: commit() };
  const report = createReport(options.name, await runBench(bench, options, screen), here);
  process.stdout.write(`${formatReport(report)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  return 0;
}

process.exitCode = await main();
