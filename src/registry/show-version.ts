import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { readHolds } from '../retention/index.js';
import {
  type ChampionMove,
  type EvaluationFacts,
  type ExperimentFacts,
  readChampionMoves,
  readEvaluations,
  readExperiments,
} from './version-evidence.js';
import { readLineage, type VersionLineage } from './version-lineage.js';
import { findVersion, summarise, type VersionSummary } from './version-row.js';

/** Everything that is kept of a version. */
export interface VersionRecord extends VersionSummary {
  model: string;
  lineage: VersionLineage;
  /** What the trainer reported, as it was when the version was registered; empty for one that was not trained here. */
  metrics: Record<string, unknown>;
  evaluations: EvaluationFacts[];
  experiments: ExperimentFacts[];
  /** Who brought it, for one that was made elsewhere. */
  registered: { actor: string; reason: string } | null;
  /** Who promoted it, and who took it off. */
  champion_moves: ChampionMove[];
  /** Legal holds that nobody has released. */
  holds: { id: string; actor: string; reason: string; at: string }[];
  adapter_drop: { actor: string; reason: string; policy_digest: string; at: string } | null;
}

/** One version with all its evidence, in the words of the API. Throws `unknown_model`, `unknown_version`. */
export async function showVersion(db: Db, model: string, version: number): Promise<VersionRecord> {
  const row = await findVersion(db, model, version);
  const [route, { lineage }, evaluations, experiments, moves, holds, drop] = await Promise.all([
    db.prisma.route.findUnique({ where: { model } }),
    readLineage(db, row),
    readEvaluations(db, model, version),
    readExperiments(db, model, version),
    readChampionMoves(db, model, version),
    readHolds(db, model),
    db.prisma.adapterDrop.findUnique({ where: { model_version: { model, version } } }),
  ]);
  return {
    model,
    ...summarise(row, route),
    lineage,
    metrics: row.metrics as Record<string, unknown>,
    evaluations,
    experiments,
    registered: row.registeredBy === null ? null : { actor: row.registeredBy, reason: row.registeredReason ?? '' },
    champion_moves: moves,
    holds: (holds.get(version) ?? []).map((hold) => ({ ...hold, at: hold.at.toISOString() })),
    adapter_drop: drop && {
      actor: drop.actor,
      reason: drop.reason,
      policy_digest: drop.policyDigest,
      at: drop.droppedAt.toISOString(),
    },
  };
}

/** All versions of a model, oldest first. Throws `unknown_model`. */
export async function listVersions({ prisma }: Pick<Db, 'prisma'>, model: string): Promise<VersionSummary[]> {
  if ((await prisma.model.count({ where: { name: model } })) === 0) {
    throw new UnderstudyError('unknown_model', { model });
  }
  const [route, rows] = await Promise.all([
    prisma.route.findUnique({ where: { model } }),
    prisma.version.findMany({ where: { model }, orderBy: { version: 'asc' } }),
  ]);
  return rows.map((row) => summarise(row, route));
}
