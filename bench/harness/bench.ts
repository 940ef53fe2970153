import type { Supervisor } from '../../src/dev/index.js';

/** Numbers of one run of one contestant; a median is taken of each. */
export type Sample = Readonly<Record<string, number>>;

/** What a bench found; the harness adds name, machine and commit. */
export interface BenchResult {
  /** Our own figures, each with its unit in its name (`rows_per_s`, `p99_ms`). */
  figures: Record<string, number>;
  /** Ours against a peer's, larger is better. */
  ratios: Record<string, number>;
  /** What the peers are, and the one figure that the ratio is made of. */
  peers: Record<string, { version: string; figure: number }>;
  /** How many runs the medians are of. */
  runs: number;
  /** Every run, by contestant. */
  samples?: Record<string, Sample[]>;
}

/** What a bench works with. */
export interface BenchContext {
  /** Runs of each contestant; 5 unless `--runs` says otherwise. */
  runs: number;
  /** Smaller, to see that everything works; its figures mean little. */
  quick: boolean;
  /** Where our server leaves CPU profiles (`--profile DIR`). */
  profileDir: string | undefined;
  /** A folder of this bench alone, gone at the end; open to the user that Postgres runs as. */
  folder: string;
  /** Stops, in reverse order, what was started through it: at the end, on Ctrl-C and when this process is killed. */
  supervisor: Supervisor;
  /** Prints a line that stays. */
  say(line: string): void;
  /** Shows what is being done now, on a terminal only. */
  show(line: string): void;
}

/** One bench: `bench/<name>.ts` or `bench/<name>/index.ts` exports one of these as `bench`. */
export interface Bench {
  /** One line for the list. */
  summary: string;
  run(context: BenchContext): Promise<BenchResult>;
}
