import { readdirSync, readFileSync } from 'node:fs';
import type { Sample } from './bench.js';

/** Clock ticks a second in /proc: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

interface Stat {
  pid: number;
  parent: number;
  /** User and system time of the process and of its children that have ended, in seconds. */
  cpu: number;
  /** The part of it that is of ended children. */
  endedChildren: number;
}

/** Processes measured together, each with all its descendants; undefined while one does not run. */
export type ProcessGroup = readonly (number | undefined)[];

/**
 * CPU seconds (user and system, descendants included) of a set of processes; NaN where there is no /proc. Time of a
 * descendant that ended counts once its parent has waited for it.
 */
export function cpuSeconds(roots: ProcessGroup): number {
  return tree(roots)?.reduce((sum, { cpu }) => sum + cpu, 0) ?? Number.NaN;
}

/** Resident memory of a set of processes with their descendants, in megabytes; NaN where there is no /proc. */
export function rssMegabytes(roots: ProcessGroup): number {
  return tree(roots)?.reduce((sum, { pid }) => sum + residentMegabytes(pid), 0) ?? Number.NaN;
}

/**
 * Does `work` and says how long it took (`wall_s`), and for each named group `cpu_<name>_s` and, at the end,
 * `rss_<name>_mb`. `bench` is this process, with
 * children that it waited for.
 */
export async function measure(
  groups: Readonly<Record<string, ProcessGroup>>,
  work: () => Promise<void>,
): Promise<Sample> {
  const all = Object.entries(groups);
  const before = all.map(([, roots]) => cpuSeconds(roots));
  const own = process.cpuUsage();
  const children = endedChildrenSeconds();
  const start = performance.now();
  await work();
  const wall = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(own);
  return Object.fromEntries([
    ['wall_s', wall],
    ['cpu_bench_s', (user + system) / 1e6 + endedChildrenSeconds() - children],
    ...all.flatMap(([name, roots], index) => [
      [`cpu_${name}_s`, cpuSeconds(roots) - before[index]!],
      [`rss_${name}_mb`, rssMegabytes(roots)],
    ]),
  ]) as Sample;
}

/** CPU of programs that this process ran to their end, such as psql. */
function endedChildrenSeconds(): number {
  return statistics()?.find(({ pid }) => pid === process.pid)?.endedChildren ?? 0;
}

function tree(roots: ProcessGroup): Stat[] | undefined {
  const all = statistics();
  if (all === undefined) return undefined;
  const wanted = new Set(roots.filter((pid) => pid !== undefined));
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (!wanted.has(parent) || wanted.has(pid)) continue;
      wanted.add(pid);
      grown = true;
    }
  }
  return all.filter(({ pid }) => wanted.has(pid));
}

function statistics(): Stat[] | undefined {
  if (process.platform !== 'linux') return undefined;
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command's name may hold spaces and parentheses; the fields begin after the last one.
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const seconds = (from: number) => (fields[from]! + fields[from + 1]!) / TICKS;
      return [{ pid: Number(name), parent: fields[1]!, cpu: seconds(11) + seconds(13), endedChildren: seconds(13) }];
    } catch {
      return [];
    }
  });
}

function residentMegabytes(pid: number): number {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
