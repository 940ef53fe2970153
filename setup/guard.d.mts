import type { GroupRecord } from './processes.mjs';

export interface Guard {
  pid(): number | undefined;
  add(record: GroupRecord): void;
  remove(pid: number): void;
  dismiss(): void;
}
export function openGuard(mark?: { name: string; value: string }): Guard;
