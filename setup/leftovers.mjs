// Is anything left running that the tests have started?
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import process from 'node:process';
import { listProcesses, processesMarked } from './processes.mjs';

// A guardian that has just been sent off, or a process that has just been told to stop, may take this long.
const PATIENCE_MS = 10_000;

function commandLine(pid) {
  try {
    if (process.platform === 'linux')
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** Processes that carry the run's mark, or name its folder for temporary files on their command line. */
function find(run, folder) {
  const marked = new Set(processesMarked('UNDERSTUDY_RUN', run).map(({ pid }) => pid));
  return listProcesses()
    .filter(({ pid }) => pid !== process.pid)
    .map(({ pid }) => ({ pid, command: commandLine(pid) }))
    .filter(({ pid, command }) => marked.has(pid) || command.includes(folder));
}

/**
 * Waits (10 s unless told otherwise) for the last process of the run to end. What is still there is named, ended, and counts as a failure.
 * @returns {Promise<{passed: number, failed: number}>}
 */
export async function leftovers(run, folder, patienceMs = PATIENCE_MS) {
  const deadline = Date.now() + patienceMs;
  let found = find(run, folder);
  while (found.length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    found = find(run, folder);
  }
  for (const { pid, command } of found) {
    process.stdout.write(`  ✗ still running: ${pid} ${command.slice(0, 200)}\n`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended just now.
    }
  }
  return found.length === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}
