import type { Db } from '../db/index.js';
import { versionOutcomes } from '../experiments/index.js';
import { parsePolicy } from '../policy/index.js';
import { clusteredLimits, normalQuantile } from '../stats/index.js';
import { diffPolicies } from './policy-diff.js';
import { type EvaluationFacts, type ExperimentFacts, readEvaluations, readExperiments } from './version-evidence.js';
import { areCompatible } from './version-label.js';
import { readLineage } from './version-lineage.js';
import { findVersion, summarise, type VersionRow, type VersionSummary } from './version-row.js';

const DAY = 86_400_000;

/** Something that differs between two versions. */
export interface LineageDifference {
  /** `base_model`, `dataset.digest`, or `policy.` and the path of a field, e.g. `policy.trainer.lora.rank`. */
  path: string;
  a: unknown;
  b: unknown;
}

/** What people thought of a version's answers. */
export interface LiveOutcomes {
  /** Answers with an outcome, and the subjects they went to. */
  n: number;
  subjects: number;
  /** Share of positive ones; null: unknown. */
  positive: number | null;
  /** 95 %, allowing for answers to one subject being alike; null: unknown. */
  interval: [number, number] | null;
}

export interface VersionComparison {
  model: string;
  a: VersionSummary;
  b: VersionSummary;
  /** Same major number: the same base. */
  compatible: boolean;
  lineage: LineageDifference[];
  /** False: one of the two was not made here, and its policy is unknown. */
  policies_known: boolean;
  /** Both on the same golden rows; null: unknown. */
  evaluation: {
    golden_digest: string;
    n: number;
    a_right: number;
    b_right: number;
    /** b − a. */
    difference: number;
    /** Answered side by side in one evaluation; otherwise at different times, and the difference has no bound. */
    paired: boolean;
    at: string[];
  } | null;
  /** The A/B tests and bakes in which they met. */
  experiments: ExperimentFacts[];
  live: { from: string; to: string; a: LiveOutcomes; b: LiveOutcomes };
  /** How the numbers may be read. */
  notes: string[];
}

/**
 * Two versions of a model side by side: what they were made from, how they did on the same golden rows, what people
 * thought of each in the last `days`, and the experiments in which they met. Only those say which one is better.
 * Throws `unknown_model`, `unknown_version`.
 */
export async function compareVersions(
  db: Db,
  { model, a, b, days, asOf }: { model: string; a: number; b: number; days: number; asOf: Date },
): Promise<VersionComparison> {
  const [first, second] = [await findVersion(db, model, a), await findVersion(db, model, b)];
  const [stored, route] = await Promise.all([
    db.prisma.model.findUniqueOrThrow({ where: { name: model } }),
    db.prisma.route.findUnique({ where: { model } }),
  ]);
  const { lineage, known } = await compareLineage(db, first, second);
  const evaluation = compareEvaluations(
    { version: a, of: await readEvaluations(db, model, a) },
    { version: b, of: await readEvaluations(db, model, b) },
  );
  const met = (await readExperiments(db, model, a)).filter(
    ({ champion, challenger }) => a !== b && [champion, challenger].includes(b),
  );
  const from = new Date(asOf.getTime() - days * DAY);
  const request = { model, from, asOf, minRating: parsePolicy(stored.policy).curation.min_rating };
  const live = {
    from: from.toISOString(),
    to: asOf.toISOString(),
    a: await liveOutcomes(db, { ...request, version: a }),
    b: await liveOutcomes(db, { ...request, version: b }),
  };
  return {
    model,
    a: summarise(first, route),
    b: summarise(second, route),
    compatible: areCompatible(first.label, second.label),
    lineage,
    policies_known: known,
    evaluation,
    experiments: met,
    live,
    notes: notesOn(evaluation, met, live),
  };
}

async function compareLineage(db: Db, first: VersionRow, second: VersionRow) {
  const [one, other] = [await readLineage(db, first), await readLineage(db, second)];
  const facts = ({ lineage: { dataset, policy_digest } }: typeof one, row: VersionRow) => ({
    base_model: row.baseModel,
    kind: row.kind,
    'adapter.sha256': row.adapterSha256,
    'dataset.digest': dataset?.digest ?? null,
    'dataset.train': dataset?.train ?? null,
    'dataset.validation': dataset?.validation ?? null,
    policy_digest,
  });
  const [left, right] = [facts(one, first), facts(other, second)];
  const lineage: LineageDifference[] = (Object.keys(left) as (keyof typeof left)[])
    .filter((path) => left[path] !== right[path])
    .map((path) => ({ path, a: left[path], b: right[path] }));
  const known = one.policy !== null && other.policy !== null;
  if (one.policy !== null && other.policy !== null) {
    const changes = diffPolicies(one.policy, other.policy);
    lineage.push(...changes.map(({ path, before, after }) => ({ path: `policy.${path}`, a: before, b: after })));
  }
  return { lineage, known };
}

interface Examined {
  version: number;
  of: readonly EvaluationFacts[];
}

/** Of one evaluation of both, the newest; else of two evaluations on the same golden set; else nothing is known. */
function compareEvaluations(one: Examined, other: Examined): VersionComparison['evaluation'] {
  const right = (facts: EvaluationFacts, version: number) =>
    facts.champion === version ? facts.champion_right : facts.challenger_right;
  for (const paired of [true, false]) {
    for (const left of one.of.toReversed()) {
      const same = other.of.findLast((facts) =>
        paired ? facts.cycle === left.cycle : facts.golden_digest === left.golden_digest && facts.n === left.n,
      );
      if (same === undefined || left.golden_digest === null || left.no_gate || left.n === 0) continue;
      const [a, b] = [right(left, one.version), right(same, other.version)];
      return {
        golden_digest: left.golden_digest,
        n: left.n,
        a_right: a,
        b_right: b,
        difference: (b - a) / left.n,
        paired,
        at: [...new Set([left.at, same.at])],
      };
    }
  }
  return null;
}

async function liveOutcomes(db: Db, request: Parameters<typeof versionOutcomes>[1]): Promise<LiveOutcomes> {
  const sums = await versionOutcomes(db, request);
  const limits = clusteredLimits(sums, normalQuantile(0.975));
  return {
    n: sums.n,
    subjects: sums.N,
    positive: sums.n === 0 ? null : sums.x / sums.n,
    interval: limits && [limits.lower, limits.upper],
  };
}

function notesOn(
  evaluation: VersionComparison['evaluation'],
  met: readonly ExperimentFacts[],
  { a, b }: VersionComparison['live'],
): string[] {
  const notes: string[] = [];
  if (evaluation === null) notes.push('Evaluation: unknown. They were never asked the same golden rows.');
  else if (!evaluation.paired)
    notes.push('Evaluation: the same golden rows, but not asked side by side; the difference has no bound.');
  if (a.interval === null || b.interval === null)
    notes.push('Live outcomes: unknown where fewer than two subjects rated an answer.');
  notes.push(
    met.length === 0
      ? 'They never met in an experiment: people were not assigned to them at random, and the live outcomes say nothing about which one is better.'
      : 'Only the experiments compare them on people assigned at random; the live outcomes outside of those were collected at different times, on different people.',
  );
  return notes;
}
