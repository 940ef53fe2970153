// The parent's side of the guardian (guardian.mjs).
import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const GUARDIAN = fileURLToPath(new URL('./guardian.mjs', import.meta.url));

/**
 * Starts a guardian for this process. Groups added to it are ended within 10 s when this process dies without having
 * called `dismiss`; so is, on Linux, every process whose environment carries the mark.
 *
 * @param {{name: string, value: string}} [mark] an environment variable that this process gives to all its children
 */
export function openGuard(mark) {
  const groups = new Map();
  let child;
  let dismissed = false;

  const tell = (message) => {
    // A guardian that just died answers with EPIPE; the replacement is told everything again.
    if (child?.stdin?.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
  };

  const start = () => {
    child = spawn(process.execPath, [GUARDIAN], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.on('exit', () => {
      if (!dismissed) setTimeout(() => dismissed || start(), 200).unref();
    });
    // Neither the guardian nor its pipe may keep this process alive.
    child.unref();
    child.stdin.unref?.();
    if (mark) tell({ mark });
    for (const record of groups.values()) tell({ add: record });
  };
  start();

  return {
    /** The guardian's process id, for tests. */
    pid: () => child.pid,
    /** @param {{pid: number, start: string|null, signal?: string}} record */
    add(record) {
      groups.set(record.pid, record);
      tell({ add: record });
    },
    remove(pid) {
      groups.delete(pid);
      tell({ remove: pid });
    },
    /** Everything was ended in good order; the guardian leaves without touching anything. */
    dismiss() {
      dismissed = true;
      tell({ dismiss: true });
      child.stdin.end();
    },
  };
}
