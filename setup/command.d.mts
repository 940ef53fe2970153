import type { GroupRecord } from './processes.mjs';

export class CommandError extends Error {
  readonly log: string;
}
export function lastLines(file: string, count: number): string[];
export function runCommand(
  command: string,
  args: readonly string[],
  options: {
    log: string;
    cwd?: string;
    env?: Record<string, string>;
    signal?: AbortSignal;
    guard?: { add(record: GroupRecord): void; remove(pid: number): void };
  },
): Promise<void>;
