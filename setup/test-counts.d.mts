export interface Counts {
  passed: number;
  failed: number;
  skipped?: number;
}
export function sum(counts: readonly Counts[]): Required<Counts>;
export function readVitest(file: string, code: number): Required<Counts>;
export function readJunit(file: string, code: number): Required<Counts>;
