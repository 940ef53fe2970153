// What the operating system knows about processes. A process id alone names nothing for long: ids are reused. So a
// process is remembered as its id and its start time, and is only ever ended when both still agree.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import process from 'node:process';

const linux = process.platform === 'linux';
let bootId;

/** Start ticks count from boot, so the boot is part of a start time: otherwise a record could survive a reboot. */
function boot() {
  if (bootId === undefined) {
    try {
      bootId = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    } catch {
      bootId = 'unknown-boot';
    }
  }
  return bootId;
}

/** The fields of /proc/<pid>/stat; the command name before them may itself contain spaces and parentheses. */
function readStat(pid) {
  let text;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid: Number(pid),
    state: fields[0],
    ppid: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    start: `${boot()}/${fields[19]}`,
  };
}

function parsePsLine(line) {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
  if (!match) return undefined;
  const [, pid, ppid, group, state, start] = match;
  return { pid: Number(pid), ppid: Number(ppid), group: Number(group), session: Number(group), state, start };
}

function ps(args) {
  const result = spawnSync('ps', [...args, '-o', 'pid=,ppid=,pgid=,stat=,lstart='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return (result.stdout ?? '')
    .split('\n')
    .map(parsePsLine)
    .filter((entry) => entry !== undefined);
}

/** Every process, without zombies (they run nothing and only wait for their parent to look). */
export function listProcesses() {
  const all = linux
    ? fs
        .readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(readStat)
    : ps(['-ax']);
  return all.filter((entry) => entry !== undefined && !entry.state.startsWith('Z'));
}

/** When the process started, as an opaque string; undefined when no such process runs. */
export function startOf(pid) {
  const entry = linux ? readStat(pid) : ps(['-p', String(pid)])[0];
  return entry === undefined || entry.state.startsWith('Z') ? undefined : entry.start;
}

/** The process as it is recorded: `{pid, start}`. `start` is null when it is gone already. */
export function identify(pid) {
  return { pid, start: startOf(pid) ?? null };
}

/** Does exactly this process, not a later one under the same id, still run? */
export function isRunning({ pid, start }) {
  return start !== null && startOf(pid) === start;
}

/** Live members of a process group. */
export function groupMembers(group) {
  return listProcesses().filter((entry) => entry.group === group);
}

/**
 * Live processes whose environment at start held `name=value` (Linux only, elsewhere none). It finds what left its
 * process group, for example a job that was started in a session of its own.
 */
export function processesMarked(name, value) {
  if (!linux || value === undefined) return [];
  const needle = Buffer.from(`${name}=${value}\0`);
  return listProcesses().filter((entry) => {
    if (entry.pid === process.pid) return false;
    try {
      return fs.readFileSync(`/proc/${entry.pid}/environ`).includes(needle);
    } catch {
      return false;
    }
  });
}

/** Sends a signal to a process or (negative id) a group; a target that is gone is no error. */
export function sendSignal(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH' || error.code === 'EPERM') return false;
    throw error;
  }
}

/**
 * Is the recorded group still ours? While its leader runs, the start time decides. When the leader is gone its id
 * cannot be given to a new process as long as the group has members, so members that are not a new session of somebody
 * else are the leader's descendants; the leader's id in use by another process means the group ended long ago.
 */
function ownedMembers(record) {
  const members = groupMembers(record.pid);
  const leader = members.find((entry) => entry.pid === record.pid);
  if (leader) return leader.start === record.start ? members : [];
  return startOf(record.pid) === undefined ? members.filter((entry) => entry.session === record.pid) : [];
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Ends the recorded process groups: each gets its own stop signal, newest first; what is still there after `graceMs`
 * is killed. Then everything that carries one of the marks is killed too, in whatever group it is.
 *
 * @param {{pid: number, start: string|null, signal?: string}[]} records groups by their leader, oldest first
 * @param {{graceMs?: number, mark?: {name: string, value: string}}} options
 * @returns {Promise<number>} how many groups or marked processes there were to end
 */
export async function endGroups(records, { graceMs = 4000, mark } = {}) {
  let open = records.filter((record) => record.start !== null && ownedMembers(record).length > 0);
  let ended = open.length;
  for (const record of [...open].reverse()) sendSignal(-record.pid, record.signal ?? 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (open.length > 0 && Date.now() < deadline) {
    await pause(40);
    open = open.filter((record) => ownedMembers(record).length > 0);
  }
  for (const record of open) sendSignal(-record.pid, 'SIGKILL');
  if (mark) {
    for (const entry of processesMarked(mark.name, mark.value)) {
      ended += 1;
      sendSignal(entry.pid, 'SIGKILL');
    }
  }
  return ended;
}
