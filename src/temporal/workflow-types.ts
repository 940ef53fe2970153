import type { ArmFacts, CycleOutcomeName } from '../activities/contract.js';

/** Types of everything that goes into or comes out of the workflows. JSON; times are ISO 8601. */

export interface CycleInput {
  model: string;
  /** What started it, e.g. `manual`, `schedule`, `api`; shown and searchable. Default: `schedule` under a schedule, else `manual`. */
  trigger?: string | undefined;
  /** A version that exists and was made elsewhere, or earlier: the cycle begins with loading it. */
  candidate?: number | undefined;
  /** Laid over the policy for this cycle: sections curation, trainer and evaluation only. */
  overrides?: Record<string, unknown> | undefined;
}

export interface RollbackInput {
  model: string;
  /** Default: the route's previous version. */
  to_version?: number | undefined;
  actor: string;
  reason: string;
}

// ── messages to a running cycle ─────────────────────────────────────────────────────────────────────────────────────

/** Make the candidate champion now. Before the floor it needs `force`, which the route change shows for ever. */
export interface PromoteMessage {
  candidate: number;
  actor: string;
  reason: string;
  /** Makes the route change idempotent. */
  request_id?: string | undefined;
  force?: boolean | undefined;
  /** Whose key it came with, from the program that checked the key: two approvals of one key are one. */
  identity?: string | undefined;
}

/** In the experiment: close it. In the bake: restore the previous champion. */
export interface RollbackMessage {
  candidate: number;
  actor: string;
  reason: string;
  request_id?: string | undefined;
}

/** Put off the last look of the experiment that is going on. */
export interface ExtendMessage {
  /** How much longer, e.g. `48h`. */
  by: string;
  /** Where it is given, it must be the cycle's. */
  candidate?: number | undefined;
  actor?: string | undefined;
  reason?: string | undefined;
  /** The same id again changes nothing. */
  request_id?: string | undefined;
}

/** Try again what the cycle is parked on. */
export interface ResumeMessage {
  actor: string;
  /** While undoing: leave what cannot be undone as it is, and end. */
  skip?: boolean | undefined;
}

/** The watch loop has taken the second arm off the route, and says why. */
export interface HaltMessage {
  experiment: string;
  evidence: HaltEvidence;
}

/** Numbers behind a halt; no texts but the one sentence. */
export interface HaltEvidence {
  reason: 'harm' | 'guardrail' | 'bake_harm';
  /** One sentence with n and bound, at most 200 characters. */
  summary: string;
  [figure: string]: unknown;
}

/** Answer to an update. */
export interface MessageAnswer {
  /** False when something came in between: then `note` says what. A message that cannot be taken at all is refused instead. */
  taken: boolean;
  /** What will happen. */
  note: string;
}

// ── what a cycle says ───────────────────────────────────────────────────────────────────────────────────────────────

export type Phase =
  | 'collecting'
  | 'curating'
  | 'training'
  | 'registering'
  | 'loading'
  | 'evaluating'
  | 'shadowing'
  | 'experimenting'
  | 'promoting'
  | 'baking';

export type CycleReason =
  | 'significant'
  | 'bandit'
  | 'forced'
  | 'evaluation'
  | 'shadow'
  | 'harm'
  | 'guardrail'
  | 'no_improvement'
  | 'max_duration'
  | 'not_enough_data'
  | 'blocked'
  | 'approval_timed_out'
  | 'route_changed'
  | 'not_enough_examples'
  | 'already_running'
  | 'operator'
  | 'bake_harm';

/** How a cycle ended. */
export interface CycleOutcome {
  outcome: CycleOutcomeName;
  reason: CycleReason;
  model: string;
  /** Null when another cycle holds the model. */
  cycleId: string | null;
  candidate: number | null;
  /** The champion that this cycle leaves behind, as far as it knows: somebody else may have moved the route. */
  champion: number | null;
  /** Few numbers and one sentence. */
  evidence: Record<string, unknown>;
}

/** What a run under any other workflow id does: it starts the one under the model's id, or finds it running. */
export type LaunchOutcome =
  | { started: true; workflowId: string; runId: string }
  | { started: false; skipped: 'already_running'; workflowId: string };

/** Answer of the query `status`. */
export interface CycleStatus {
  model: string;
  cycleId: string | null;
  trigger: string;
  phase: Phase;
  phases: { phase: Phase; startedAt: string }[];
  champion: number | null;
  candidate: number | null;
  policyDigest: string | null;
  sandbox: boolean | null;
  /** Told at the start: at the present traffic the experiment to come cannot finish, and why. */
  warning?: string;
  dataset: { id: string; considered: number; kept: number; train: number; validation: number; digest: string } | null;
  training: { jobId: string; steps: number | null; firstLoss: number | null; lastLoss: number | null } | null;
  gate: { passed: boolean; summary: string } | null;
  /** Copies before it answers people; how it did, once that is known. */
  shadow?: { until: string; passed?: boolean; summary?: string };
  experiment: {
    id: string;
    startedAt: string;
    minEndsAt: string;
    maxEndsAt: string;
    /** How often its end was put off; absent: never. */
    extensions?: number;
  } | null;
  looks: StatusLook[];
  bake: { id: string; endsAt: string; checks: { at: string; summary: string }[] } | null;
  /** What the test decided waits for people until then; `by`: who has approved so far. */
  approval?: { since: string; until: string; needed: number; by: string[] } | null;
  /** The promotion waits for the end of a freeze window. */
  frozenUntil?: string | null;
  messages: MessageNote[];
  needsOperator: { step: string; problem: string; since: string } | null;
  outcome: CycleOutcome | null;
}

export interface StatusLook {
  k: number;
  at: string;
  decision: string;
  reason: string | null;
  champion: ArmFacts;
  challenger: ArmFacts;
  z: number | null;
  boundary: number | null;
  interval: [number, number] | null;
  /** At the end of a group-sequential experiment: the effect, corrected for the looks before. */
  estimate?: { median: number; interval: [number, number] };
  summary: string;
}

/** A message as it was taken: obeyed, waiting to be obeyed, or ignored and why. */
export interface MessageNote {
  at: string;
  signal: string;
  actor: string | null;
  candidate: number | null;
  taken: boolean;
  note: string;
}

/** What a rollback did. */
export interface RollbackOutcome {
  model: string;
  fromVersion: number;
  toVersion: number;
  /** Epoch of the route since. */
  epoch: number;
  /** Workflow id of the cycle that was going on. */
  cycle: string | null;
  /** It was told; false when it ended first. */
  cycleTold: boolean;
}
