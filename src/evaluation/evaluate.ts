import { v5 as uuidv5 } from 'uuid';
import type { ArtifactStore } from '../artifacts/index.js';
import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import { endpointsOf, readVersion, type Secrets } from '../serving/index.js';
import { evaluationGate } from '../stats/index.js';
import { askAll, type Examinee } from './ask-all.js';
import { readGoldenSet } from './golden-set.js';

export interface GateResult {
  passed: boolean;
  /** No golden set is configured: passed without a gate, and every record says so. */
  noGate: boolean;
  n: number;
  /** Share of right answers, 0 to 1; null without a gate. */
  champion: number | null;
  challenger: number | null;
  /** challenger − champion. */
  difference: number | null;
  /** One-sided 95 % lower limit of the difference. */
  lowerBound: number | null;
  margin: number;
  /** At most 200 characters. */
  summary: string;
}

export interface EvaluateInput {
  cycleId: string;
  champion: number;
  candidate: number;
  asOf: Date;
  signal?: AbortSignal;
  /** Called after each answer with the number of answers so far. */
  onAnswer?: (answered: number) => void;
}

type Row = NonNullable<Awaited<ReturnType<Db['prisma']['evaluation']['findUnique']>>>;

/**
 * Asks champion and candidate every question of the golden set and decides whether the candidate may meet live traffic:
 * not worse than the champion by more than the policy's margin. One evaluation a cycle: a retry answers the stored one.
 * Throws `golden_set_unreadable`, `golden_set_too_small`, `serving_unreachable` and `serving_refused`.
 */
export async function evaluate(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  input: EvaluateInput,
): Promise<GateResult> {
  const { cycleId } = input;
  const stored = await db.prisma.evaluation.findUnique({ where: { cycleId } });
  if (stored !== null) return describe(stored);
  const { model, policy } = await readCycle(db, cycleId);
  const { golden_set: reference, non_inferiority_margin: margin } = policy.evaluation;
  const figures =
    reference === null ? NO_GATE : await examine(db, store, secrets, { ...input, model, reference, margin });
  await db.prisma.evaluation.createMany({
    data: {
      id: uuidv5(`understudy:evaluation/${cycleId}`, uuidv5.URL),
      model,
      cycleId,
      champion: input.champion,
      challenger: input.candidate,
      margin,
      createdAt: input.asOf,
      ...figures,
    },
    skipDuplicates: true,
  });
  return describe(await db.prisma.evaluation.findUniqueOrThrow({ where: { cycleId } }));
}

type Figures = Omit<Row, 'id' | 'model' | 'cycleId' | 'champion' | 'challenger' | 'margin' | 'createdAt'>;

const NO_GATE: Figures = {
  goldenDigest: null,
  n: 0,
  championRight: 0,
  challengerRight: 0,
  onlyChallenger: 0,
  onlyChampion: 0,
  difference: null,
  standardError: null,
  lowerBound: null,
  noGate: true,
  passed: true,
};

async function examine(
  db: Db,
  store: ArtifactStore,
  secrets: Secrets,
  input: EvaluateInput & { model: string; reference: string; margin: number },
): Promise<Figures> {
  const { rows, digest } = await readGoldenSet(store, input.reference);
  const [champion, challenger] = (await askAll(
    rows,
    [
      await examinee(db, secrets, input.model, input.champion),
      await examinee(db, secrets, input.model, input.candidate),
    ],
    input,
  )) as [boolean[], boolean[]];
  const count = (which: (r: number) => boolean) => rows.filter((_, r) => which(r)).length;
  const b = count((r) => challenger[r]! && !champion[r]!);
  const c = count((r) => champion[r]! && !challenger[r]!);
  const gate = evaluationGate({ n: rows.length, b, c }, input.margin);
  return {
    goldenDigest: digest,
    n: rows.length,
    championRight: count((r) => champion[r]!),
    challengerRight: count((r) => challenger[r]!),
    onlyChallenger: b,
    onlyChampion: c,
    difference: gate.d,
    standardError: gate.se,
    lowerBound: gate.lower,
    noGate: false,
    passed: gate.passed,
  };
}

async function examinee(db: Db, secrets: Secrets, model: string, version: number): Promise<Examinee> {
  const { row, policy } = await readVersion(db, model, version);
  return { endpoints: endpointsOf(row, policy, secrets), timeoutMs: policy.upstream.timeout };
}

function describe(row: Row): GateResult {
  const { passed, noGate, n, difference, lowerBound, margin } = row;
  const champion = noGate ? null : row.championRight / n;
  const challenger = noGate ? null : row.challengerRight / n;
  const summary = noGate
    ? 'no_gate: no golden set is configured, the candidate was not examined'
    : `${n} golden rows: candidate ${percent(challenger!)} right, champion ${percent(champion!)}; difference ${points(difference!)}, ` +
      `lower 95 % limit ${points(lowerBound!)}, allowed ${points(-margin)}: ${passed ? 'passed' : 'not passed'}`;
  return { passed, noGate, n, champion, challenger, difference, lowerBound, margin, summary };
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const points = (share: number) => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)} pp`;
