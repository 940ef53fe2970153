import type { Prisma } from '../db/index.js';
import { digestOf } from '../policy/index.js';
import type { LookDecision, LookInput } from './decide.js';

/** A look as it is stored; what `evidence` holds is JSON. */
export interface LookRow {
  experimentId: string;
  k: number;
  takenAt: Date;
  policyDigest: string;
  cutDigest: string;
  champion: unknown;
  challenger: unknown;
  crossed: number;
  tested: boolean;
  z: number | null;
  p: number | null;
  delta: number | null;
  intervalLow: number | null;
  intervalHigh: number | null;
  boundary: number | null;
  information: number | null;
  iMax: number;
  i0: number;
  tau: number | null;
  alphaSpent: number | null;
  srmP: number | null;
  deltaImputed: number | null;
  evidence: unknown;
  decision: string;
  reason: string | null;
  digest: string | null;
}

/** What `evidence` of a look's row holds. */
export interface LookEvidence {
  /** The input, but for what has columns of its own. */
  input: Omit<LookInput, 'champion' | 'challenger' | 'crossed'>;
  figures: Omit<LookDecision, 'explanation'>;
  explanation: string;
}

/** How much longer than planned the experiment may last, in the input of a look; absent when nobody extended it. */
export function extendedBy(milliseconds: number): Pick<LookInput, 'extendedMs'> {
  return milliseconds > 0 ? { extendedMs: milliseconds } : {};
}

/** A look with every number its decision came from: the decision can be made again from the row. */
export function lookRow(
  facts: { experimentId: string; k: number; policyDigest: string; cutDigest: string },
  look: LookInput,
  decision: LookDecision,
): Omit<LookRow, 'digest'> & { digest: string } {
  const { champion, challenger, crossed, ...input } = look;
  const { explanation, ...figures } = decision;
  const evidence: LookEvidence = { input, figures, explanation };
  const row = {
    ...facts,
    takenAt: new Date(look.asOf),
    ...{ champion, challenger, crossed },
    ...columnsOf(decision),
    evidence,
  };
  return { ...row, digest: digestOfLook({ ...row, digest: null }) };
}

/** The columns that repeat a decision's figures, where they can be read without knowing its shape. */
export function columnsOf(decision: LookDecision) {
  return {
    tested: decision.tested,
    z: decision.z,
    p: decision.p,
    delta: decision.delta,
    intervalLow: decision.interval?.lower ?? null,
    intervalHigh: decision.interval?.upper ?? null,
    boundary: decision.c,
    information: decision.information,
    iMax: decision.maxInformation,
    i0: decision.harm.initialInformation,
    tau: decision.tau,
    alphaSpent: decision.alphaSpent,
    srmP: decision.sampleRatio.p,
    deltaImputed: decision.ratings.deltaImputed,
    decision: decision.decision,
    reason: decision.reason ?? decision.waitingFor,
  };
}

/** SHA-256 over everything in a look's row but the digest itself. */
export function digestOfLook({ digest: _digest, ...row }: LookRow): string {
  return digestOf(row);
}

/** The row as Prisma wants it. */
export function toStored(row: LookRow): Prisma.LookCreateManyInput {
  return {
    ...row,
    champion: row.champion as Prisma.InputJsonObject,
    challenger: row.challenger as Prisma.InputJsonObject,
    evidence: row.evidence as Prisma.InputJsonObject,
  };
}
