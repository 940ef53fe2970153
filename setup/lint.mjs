// `npm run lint`: all checks of the sources; prints what each has to say when it fails.
import { execFile } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { CHECKS } from './checks.mjs';
import { seconds } from './progress.mjs';
import { ROOT } from './toolchain.mjs';

const LIMIT_MS = 5 * 60_000;

function runCheck({ name, args }, signal) {
  const started = Date.now();
  return new Promise((resolve) => {
    const options = { cwd: ROOT, signal, timeout: LIMIT_MS, maxBuffer: 64e6, env: { ...process.env, NO_COLOR: '1' } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({
        name,
        ok: !error,
        output: `${stdout}${stderr}`.trim() || (error?.message ?? ''),
        ms: Date.now() - started,
      });
    });
  });
}

/**
 * Runs all checks, two at a time, and prints a line for each in their order.
 * @returns {Promise<{passed: number, failed: number}>}
 */
export async function runChecks({ signal } = {}) {
  const write = (text) => process.stdout.write(text);
  const results = [];
  let next = 0;
  let shown = 0;
  const work = async () => {
    while (next < CHECKS.length) {
      const index = next++;
      results[index] = await runCheck(CHECKS[index], signal);
      for (; results[shown] !== undefined; shown += 1) {
        const { name, ok, output, ms } = results[shown];
        write(`  ${ok ? '✓' : '✗'} ${name.padEnd(42)} ${seconds(ms).padStart(7)}\n`);
        if (!ok) write(`${output}\n`);
      }
    }
  };
  await Promise.all([work(), work()]);
  const failed = results.filter((result) => !result.ok).length;
  return { passed: results.length - failed, failed };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { failed } = await runChecks();
  process.exitCode = failed > 0 ? 1 : 0;
}
