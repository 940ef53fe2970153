import { z } from 'zod';
import type { Scenario } from '#setup/demo-options.mjs';

const count = z.int().nonnegative();
const seconds = z.number().nonnegative();
const version = z.int().positive();
const arm = z.strictObject({ n: count, x: count });

/**
 * The document that `--json FILE` gets. A part the cycle did not reach is null, so is a figure that was never
 * computed: nothing is made up.
 */
export const demoResultSchema = z.strictObject({
  /** True exactly when the scenario ended as its name says. */
  ok: z.boolean(),
  scenario: z.enum(['better', 'no-better', 'harmful', 'rollback']),
  seed: count,
  cycle: z
    .strictObject({
      workflow_id: z.string(),
      run_id: z.string(),
      outcome: z.string().nullable(),
      reason: z.string().nullable(),
      phases: z.array(z.strictObject({ name: z.string(), seconds })),
      history_events: count.nullable(),
      history_bytes: count.nullable(),
    })
    .nullable(),
  dataset: z
    .strictObject({
      considered: count,
      kept: count,
      left_out: z.record(z.string(), count),
      train: count,
      validation: count,
      digest: z.string(),
    })
    .nullable(),
  training: z
    .strictObject({
      job_id: z.string(),
      steps: count.nullable(),
      first_loss: z.number().nullable(),
      last_loss: z.number().nullable(),
      seconds: seconds.nullable(),
    })
    .nullable(),
  /** Share of the golden questions answered right, 0…1. */
  evaluation: z.strictObject({ champion: z.number(), challenger: z.number() }).nullable(),
  /** The A/B test at its last look; outcomes with a thumb up (`x`) of all with an outcome (`n`). */
  experiment: z
    .strictObject({
      champion: arm,
      challenger: arm,
      z: z.number().nullable(),
      p: z.number().nullable(),
      interval: z.tuple([z.number(), z.number()]).nullable(),
      decision: z.string().nullable(),
    })
    .nullable(),
  champion_before: version.nullable(),
  champion_after: version.nullable(),
  requests: count,
  failed_requests: count,
  /** The whole demo, set-up excluded. */
  seconds,
});

export type DemoResult = z.infer<typeof demoResultSchema>;

/** What the demo found out; parts it did not come to may be left away. */
export type DemoFacts = Pick<DemoResult, 'scenario' | 'seed' | 'requests' | 'failed_requests' | 'seconds'> &
  Partial<Omit<DemoResult, 'ok'>> & { skipEvaluation?: boolean };

/**
 * The result document of these facts, with `ok` worked out.
 *
 * @throws ZodError when the facts do not have the document's shape
 */
export function buildResult({ skipEvaluation = false, ...facts }: DemoFacts): DemoResult {
  const parts = {
    cycle: null,
    dataset: null,
    training: null,
    evaluation: null,
    experiment: null,
    champion_before: null,
    champion_after: null,
  };
  const result = { ...parts, ...facts };
  return demoResultSchema.parse({ ...result, ok: endedAsNamed(result, skipEvaluation) });
}

/** The ends each scenario may have, as `outcome: reason`. */
const ENDS: Record<Scenario, { judged: readonly string[]; unjudged?: readonly string[]; moves: boolean }> = {
  better: { judged: ['promoted: significant'], moves: true },
  // Anything but a promotion, but only after a real A/B test: it must not fail at the evaluation already.
  'no-better': { judged: ['rejected: no_improvement', 'inconclusive: max_duration'], moves: false },
  harmful: { judged: ['rejected: evaluation'], unjudged: ['rejected: harm', 'rejected: guardrail'], moves: false },
  rollback: { judged: ['rolled_back: operator'], moves: false },
};

/**
 * Whether the cycle ended as the scenario's name says, with the right version in charge afterwards.
 *
 * @param skipEvaluation live traffic had to find a harmful version, as there were no golden questions
 */
export function endedAsNamed(
  facts: Pick<DemoResult, 'scenario' | 'cycle' | 'experiment' | 'champion_before' | 'champion_after'>,
  skipEvaluation: boolean,
): boolean {
  const { scenario, cycle, champion_before: before, champion_after: after } = facts;
  if (!cycle || cycle.outcome === null || before === null || after === null) return false;
  const { judged, unjudged, moves } = ENDS[scenario];
  const allowed = skipEvaluation && unjudged ? unjudged : judged;
  return allowed.includes(`${cycle.outcome}: ${cycle.reason}`) && (moves ? after > before : after === before);
}
