import { z } from 'zod';

const number = z.int();
const share = z.number();
const figure = z.number().nullable();
const at = z.iso.datetime();
const record = z.record(z.string(), z.unknown());
const both = z.strictObject({ champion: number, challenger: number });
const bounds = z.array(z.number()).length(2).nullable();

/** A version in a list. `state` is stored, `role` is read from the route. */
export const versionSummaryView = z.strictObject({
  version: number,
  label: z.string().describe('Same major number: same base. Minor: made in another way. Patch: newer data'),
  kind: z.enum(['base', 'adapter', 'remote']),
  state: z.enum(['candidate', 'archived', 'rejected']),
  role: z.enum(['champion', 'previous', 'challenger']).nullable(),
  served_as: z.string(),
  base_model: z.string(),
  adapter: z.strictObject({ uri: z.string(), sha256: z.string(), rank: number }).nullable(),
  sandbox: z.boolean(),
  created_at: at,
  retired_at: at.nullable(),
  adapter_dropped_at: at.nullable().describe('From then on it can serve no more'),
});

const lineage = z.strictObject({
  cycle: z
    .strictObject({
      id: z.uuid(),
      workflow_id: z.string(),
      run_id: z.string(),
      trigger: z.string(),
      champion_before: number.nullable(),
      outcome: z.string().nullable(),
      reason: z.string().nullable(),
      started_at: at,
      ended_at: at.nullable(),
    })
    .nullable()
    .describe('null: not made here'),
  policy_digest: z.string().nullable(),
  dataset: z
    .strictObject({
      id: z.uuid(),
      digest: z.string().nullable(),
      uri: z.string().nullable(),
      state: z.string(),
      considered: number,
      kept: number,
      train: number,
      validation: number,
      golden_digest: z.string().nullable(),
    })
    .nullable(),
  training: z
    .strictObject({
      id: z.uuid(),
      key: z.string(),
      provider: z.string(),
      job: z.string().nullable(),
      submitted_at: at.nullable(),
      finished_at: at.nullable(),
    })
    .nullable(),
});

const evaluation = z.strictObject({
  cycle: z.uuid(),
  champion: number,
  challenger: number,
  golden_digest: z.string().nullable(),
  n: number,
  champion_right: number,
  challenger_right: number,
  difference: figure.describe('challenger - champion'),
  lower_bound: figure.describe('One-sided 95 % limit'),
  margin: share,
  no_gate: z.boolean(),
  passed: z.boolean(),
  at,
});

const experiment = z.strictObject({
  id: z.uuid(),
  kind: z.enum(['ab', 'bake']),
  cycle: z.uuid(),
  champion: number,
  challenger: number,
  share,
  policy_digest: z.string(),
  sandbox: z.boolean(),
  started_at: at,
  ended_at: at.nullable(),
  decision: z.string().nullable(),
  reason: z.string().nullable(),
  looks: number,
  look: z
    .strictObject({
      k: number,
      taken_at: at,
      decision: z.string(),
      reason: z.string().nullable(),
      n: both,
      x: both,
      delta: figure,
      z: figure,
      p: figure,
      interval: bounds,
      boundary: figure,
      tau: figure,
      alpha_spent: figure,
    })
    .nullable()
    .describe('The newest one'),
  ended_by: z
    .strictObject({
      epoch: number,
      action: z.string(),
      actor: z.string(),
      reason: z.string(),
      forced: z.boolean(),
      evidence: record,
    })
    .nullable()
    .describe('The route change that ended it'),
});

/** One version with all its evidence. */
export const versionRecordView = versionSummaryView.extend({
  model: z.string(),
  lineage,
  metrics: record.describe('What the trainer reported'),
  evaluations: z.array(evaluation),
  experiments: z.array(experiment),
  registered: z
    .strictObject({ actor: z.string(), reason: z.string() })
    .nullable()
    .describe('Who brought it, for one that was made elsewhere'),
  champion_moves: z
    .array(
      z.strictObject({
        epoch: number,
        action: z.string(),
        from: number.nullable(),
        to: number,
        actor: z.string(),
        reason: z.string(),
        forced: z.boolean(),
        at,
      }),
    )
    .describe('Who gave it all traffic, and who took it away'),
  holds: z
    .array(z.strictObject({ id: z.uuid(), actor: z.string(), reason: z.string(), at }))
    .describe('Legal holds that nobody has released'),
  adapter_drop: z
    .strictObject({ actor: z.string(), reason: z.string(), policy_digest: z.string(), at })
    .nullable()
    .describe('By whom its adapter was dropped, and under which rule'),
});

const live = z.strictObject({
  n: number.describe('Answers with an outcome'),
  subjects: number,
  positive: figure.describe('null: unknown'),
  interval: bounds.describe('95 %; null: unknown'),
});

/** Two versions side by side. */
export const versionComparisonView = z.strictObject({
  model: z.string(),
  a: versionSummaryView,
  b: versionSummaryView,
  compatible: z.boolean().describe('Same major number: the same base'),
  lineage: z.array(z.strictObject({ path: z.string(), a: z.unknown(), b: z.unknown() })),
  policies_known: z.boolean(),
  evaluation: z
    .strictObject({
      golden_digest: z.string(),
      n: number,
      a_right: number,
      b_right: number,
      difference: share.describe('b - a'),
      paired: z.boolean().describe('Asked side by side'),
      at: z.array(at),
    })
    .nullable()
    .describe('On the same golden rows; null: unknown'),
  experiments: z.array(experiment).describe('In which they met'),
  live: z.strictObject({ from: at, to: at, a: live, b: live }),
  notes: z.array(z.string()).describe('How the numbers may be read'),
});
