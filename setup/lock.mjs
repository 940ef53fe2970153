// A lock between processes: one file, created whole by link(2), that names its owner. An owner that is gone (its id and
// start time no longer agree) loses the lock to the next who asks.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { identify, isRunning } from './processes.mjs';

const BEAT_MS = 5_000;
// Owners on another machine (a cache on a shared disk, another container) cannot be looked at, only their heartbeat.
const FOREIGN_STALE_MS = 60_000;

function readOwner(file) {
  try {
    const stat = fs.statSync(file);
    return { ...JSON.parse(fs.readFileSync(file, 'utf8')), beat: stat.mtimeMs };
  } catch {
    return undefined;
  }
}

function isStale(owner) {
  return owner.host === os.hostname() ? !isRunning(owner) : Date.now() - owner.beat > FOREIGN_STALE_MS;
}

/** Creates the file with its content in one step; false when it exists. */
function createWhole(file, content) {
  const draft = `${file}.${randomUUID()}`;
  fs.writeFileSync(draft, content);
  try {
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/**
 * Removes the lock of an owner that is gone. Two waiters may both have seen it stale: without a second lock around
 * "look again, then remove", the slower one would remove the faster one's fresh lock.
 */
function removeStale(file, content) {
  const takeover = `${file}.takeover`;
  if (!createWhole(takeover, content)) {
    const other = readOwner(takeover);
    if (other && isStale(other)) fs.rmSync(takeover, { force: true });
    return;
  }
  try {
    const owner = readOwner(file);
    if (owner && isStale(owner)) fs.rmSync(file, { force: true });
  } finally {
    fs.rmSync(takeover, { force: true });
  }
}

/** Returns after `ms`, or at once when the signal aborts. */
function wait(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/**
 * Runs `work` while holding the lock `file`, and waits for it first.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{onWait?: (owner: {pid: number}) => void, signal?: AbortSignal, pollMs?: number}} [options] `onWait` is told
 *   once, when somebody else holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(file, work, { onWait, signal, pollMs = 250 } = {}) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const me = { ...identify(process.pid), host: os.hostname(), token: randomUUID() };
  const content = JSON.stringify(me);
  let told = false;
  while (!createWhole(file, content)) {
    signal?.throwIfAborted();
    const owner = readOwner(file);
    if (owner && isStale(owner)) {
      removeStale(file, content);
    } else {
      if (owner && !told) {
        told = true;
        onWait?.(owner);
      }
      await wait(pollMs, signal);
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    fs.utimes(file, now, now, () => {});
  }, BEAT_MS);
  beat.unref();
  // process.exit skips `finally`: the lock is then released here rather than taken over later.
  const release = () => {
    if (readOwner(file)?.token === me.token) fs.rmSync(file, { force: true });
  };
  process.once('exit', release);
  try {
    signal?.throwIfAborted();
    return await work();
  } finally {
    clearInterval(beat);
    process.removeListener('exit', release);
    release();
  }
}
