export type Scenario = 'better' | 'no-better' | 'harmful' | 'rollback';

/** What the demo was asked to do. Paths are absolute. */
export interface DemoOptions {
  scenario: Scenario;
  skipEvaluation: boolean;
  /** 0…2³¹−1; drawn at random when none was given. */
  seed: number;
  /** A checked file of interaction records, or null for the demo's own generator. */
  data: string | null;
  exit: boolean;
  json: string | null;
  help: boolean;
}

export const SCENARIOS: readonly Scenario[];
/** The help text, also shown with every wrong option. */
export const usage: string;
/** Parses and checks options and data file; starts nothing, writes nothing. */
export function checkDemoOptions(
  argv: readonly string[],
  where?: { cwd?: string },
): { ok: true; options: DemoOptions } | { ok: false; message: string };
