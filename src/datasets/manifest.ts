import type { Verdict } from '../curation/index.js';
import { digestOf, type Policy } from '../policy/index.js';
import { noRedactions, type RedactionCounts } from '../redaction/index.js';
import type { Split } from './split.js';

/**
 * What a dataset is, without a word of its texts. Only facts that follow from its inputs: no id and no time of the run,
 * so that equal inputs have equal digests.
 */
export interface Manifest {
  format: 1;
  model: string;
  policy_digest: string;
  /** The look-back: asked after `from`, up to `to`. */
  window: { from: string; to: string };
  /** Of the rows kept; null when none was. */
  first_asked_at: string | null;
  last_asked_at: string | null;
  considered: number;
  kept: number;
  train: number;
  validation: number;
  /** Reason → rows. considered = kept + the sum of these. */
  left_out: Record<string, number>;
  /** Rows kept whose answer is a correction. */
  corrected: number;
  /** Version → rows kept whose answer is that version's own; `unknown` when it was not recorded. */
  answers_by_version: Record<string, number>;
  /** Placeholders put into the rows kept. */
  redactions: RedactionCounts;
  /** SHA-256 of the golden set whose questions were kept out; null without one. */
  golden_digest: string | null;
}

/** Counts verdicts, newest first, into a manifest. */
export class DatasetTally {
  considered = 0;
  readonly #kept: Record<Split, number> = { train: 0, validation: 0 };
  readonly #leftOut = new Map<string, number>();
  readonly #versions = new Map<string, number>();
  readonly #redactions = noRedactions();
  #corrected = 0;
  #first: Date | undefined;
  #last: Date | undefined;
  readonly #policy: Policy;
  readonly #asOf: Date;
  readonly #goldenDigest: string | null;

  constructor(policy: Policy, asOf: Date, goldenDigest: string | null) {
    this.#policy = policy;
    this.#asOf = asOf;
    this.#goldenDigest = goldenDigest;
  }

  count(verdict: Verdict, split: Split | null): void {
    this.considered += 1;
    if (!verdict.kept || split === null) {
      if (!verdict.kept) increase(this.#leftOut, verdict.reason);
      return;
    }
    const { row } = verdict;
    this.#kept[split] += 1;
    if (row.corrected) this.#corrected += 1;
    else increase(this.#versions, `${row.version ?? 'unknown'}`);
    for (const kind of Object.keys(this.#redactions) as (keyof RedactionCounts)[])
      this.#redactions[kind] += row.redactions[kind];
    this.#last ??= row.askedAt;
    this.#first = row.askedAt;
  }

  manifest(): Manifest {
    const { train, validation } = this.#kept;
    return {
      format: 1,
      model: this.#policy.name,
      policy_digest: digestOf(this.#policy),
      window: {
        from: new Date(this.#asOf.getTime() - this.#policy.curation.lookback).toISOString(),
        to: this.#asOf.toISOString(),
      },
      first_asked_at: this.#first?.toISOString() ?? null,
      last_asked_at: this.#last?.toISOString() ?? null,
      considered: this.considered,
      kept: train + validation,
      train,
      validation,
      left_out: sorted(this.#leftOut),
      corrected: this.#corrected,
      answers_by_version: sorted(this.#versions),
      redactions: { ...this.#redactions },
      golden_digest: this.#goldenDigest,
    };
  }
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted(counts: Map<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
