export interface ProcessIdentity {
  pid: number;
  /** Opaque; null when the process was gone before it could be looked at. */
  start: string | null;
}
export interface ProcessEntry {
  pid: number;
  ppid: number;
  group: number;
  session: number;
  state: string;
  start: string;
}
export interface GroupRecord extends ProcessIdentity {
  signal?: NodeJS.Signals;
}
export function listProcesses(): ProcessEntry[];
export function startOf(pid: number): string | undefined;
export function identify(pid: number): ProcessIdentity;
export function isRunning(identity: ProcessIdentity): boolean;
export function groupMembers(group: number): ProcessEntry[];
export function processesMarked(name: string, value: string | undefined): ProcessEntry[];
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean;
export function endGroups(
  records: readonly GroupRecord[],
  options?: { graceMs?: number; mark?: { name: string; value: string } },
): Promise<number>;
