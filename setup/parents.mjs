// npm runs a script through a shell. When npm or that shell is killed, the script is not told; it has to look.
import fs from 'node:fs';
import process from 'node:process';
import { listProcesses } from './processes.mjs';

const LOOK_MS = 1_000;
const SHELLS = new Set(['sh', 'dash', 'bash', 'zsh', 'ash', 'busybox']);

function commandName(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'sh';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Calls back once when npm, which started this script, is gone. Started without npm nobody is watched: a program put
 * into the background by hand outlives its terminal.
 */
export function onParentGone(callback) {
  const parent = process.ppid;
  if (!process.env.npm_lifecycle_event || parent <= 1) return;
  const watched = [parent];
  if (SHELLS.has(commandName(parent))) {
    const above = listProcesses().find(({ pid }) => pid === parent)?.ppid ?? 0;
    if (above > 1) watched.push(above);
  }
  const timer = setInterval(() => {
    if (process.ppid === parent && watched.every(isAlive)) return;
    clearInterval(timer);
    callback();
  }, LOOK_MS);
  timer.unref();
}
