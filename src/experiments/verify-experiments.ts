import type { Db } from '../db/index.js';
import { changesThatExtended, changeThatLeft, changeThatStarted, type RouteChangeRecord } from '../routing/index.js';
import { type Experiment, plannedEnd, ruleOf, termsOf, toExperiment } from './experiment.js';
import { type Extension, extensionOf, sum } from './extension.js';
import { informationAtStart } from './initial-information.js';
import type { LookRow } from './look-row.js';
import { differences, type Misfit } from './misfits.js';
import { isBandit, reasonToPromote } from './take-bandit-look.js';
import { verifyBanditLook } from './verify-bandit-look.js';
import { verifyLook } from './verify-look.js';

/** What became of checking one experiment. */
export interface VerifiedExperiment {
  id: string;
  kind: Experiment['kind'];
  looks: number;
  /** What does not fit; `look` is null for the experiment's own row. */
  misfits: (Misfit & { look: number | null })[];
}

/**
 * Makes every stored decision about a model again from its row, and compares the experiments with the route changes that
 * started and ended them.
 */
export async function verifyExperiments(db: Pick<Db, 'prisma'>, model: string): Promise<VerifiedExperiment[]> {
  const rows = await db.prisma.experiment.findMany({ where: { model }, orderBy: { startedAt: 'asc' } });
  const verified: VerifiedExperiment[] = [];
  // One after the other: a model may have years of them.
  for (const { i0, ...row } of rows) {
    const experiment = toExperiment({ ...row, i0 });
    const looks: LookRow[] = await db.prisma.look.findMany({
      where: { experimentId: experiment.id },
      orderBy: { k: 'asc' },
    });
    const extensions = (await changesThatExtended(db, model, experiment.id)).map(extensionOf);
    const [started, left] = [
      await changeThatStarted(db, model, experiment.id),
      await changeThatLeft(db, model, experiment.id),
    ];
    const own = [
      ...verifyTerms(experiment, i0, started, extensions),
      ...(left === null ? [] : verifyEnd(experiment, looks, left)),
    ].map((misfit) => ({ look: null, ...misfit }));
    const ofLooks = looks.flatMap((look) =>
      (isBandit(experiment) ? verifyBanditLook : verifyLook)(look, experiment, looks, extensions).map((misfit) => ({
        look: look.k,
        ...misfit,
      })),
    );
    verified.push({ id: experiment.id, kind: experiment.kind, looks: looks.length, misfits: [...own, ...ofLooks] });
  }
  return verified;
}

/** Does the experiment still have the terms it started with? */
function verifyTerms(
  experiment: Experiment,
  i0: number,
  started: RouteChangeRecord | null,
  extensions: readonly Extension[],
): Misfit[] {
  const { startedAt, settings, kind, prior, share } = experiment;
  const least = kind === 'bake' ? settings.promotion.bake : settings.experiment.min_duration;
  const earliest = new Date(startedAt.getTime() + least);
  const latest = new Date(plannedEnd(experiment).getTime() + sum(extensions));
  const terms = started?.evidence.terms;
  return [
    ...differences('i0', i0, informationAtStart(ruleOf(experiment).primary, prior, share)),
    ...differences('min_ends_at', experiment.minEndsAt.toISOString(), earliest.toISOString()),
    ...differences('max_ends_at', experiment.maxEndsAt.toISOString(), latest.toISOString()),
    // Changes from before there were terms in them have none.
    ...(terms === undefined ? [] : differences('terms', termsOf(experiment), terms)),
  ];
}

/** Did the route leave the experiment on the look that is stored, and is that how the experiment says it ended? */
function verifyEnd(
  experiment: Experiment,
  looks: readonly LookRow[],
  { action, evidence }: RouteChangeRecord,
): Misfit[] {
  const misfits: Misfit[] = [];
  if (experiment.endedAt === null)
    misfits.push({ field: 'ended_at', stored: null, expected: 'an end: the route left' });
  if (experiment.kind === 'ab' && action === 'promote') {
    const { forced } = evidence;
    misfits.push(...differences('decision', experiment.decision, 'promote'));
    misfits.push(...differences('reason', experiment.reason, forced === true ? 'forced' : reasonToPromote(experiment)));
    const promoted = looks.some(({ decision }) => decision === 'promote');
    if (forced !== true && !promoted)
      misfits.push({ field: 'decision', stored: 'promote', expected: 'a look that decided so' });
  }
  misfits.push(...verifyRecordedEnd(experiment, evidence.end));
  if (action === 'end_experiment' && typeof evidence.decision === 'string' && typeof evidence.reason === 'string') {
    misfits.push(...differences('decision', experiment.decision, evidence.decision));
    misfits.push(...differences('reason', experiment.reason, evidence.reason));
  }
  if (typeof evidence.look === 'number') misfits.push(...verifyCited(looks, evidence));
  return misfits;
}

/** Changes from before they carried the end of their experiment have none. */
function verifyRecordedEnd({ endedAt, decision, reason }: Experiment, end: unknown): Misfit[] {
  if (end === null || typeof end !== 'object') return [];
  const now: Record<string, unknown> = { as_of: endedAt?.toISOString() ?? null, decision, reason };
  return differences('end', now, end);
}

/** The look that a route change cites, as it was then. */
function verifyCited(looks: readonly LookRow[], evidence: Record<string, unknown>): Misfit[] {
  const look = looks.find(({ k }) => k === evidence.look);
  if (look === undefined)
    return [{ field: `look ${evidence.look}`, stored: null, expected: 'cited by the route change' }];
  const { takenAt, cutDigest, delta, z, p, boundary, digest } = look;
  const now: Record<string, unknown> = { as_of: takenAt.toISOString(), cut: cutDigest, delta, z, p, boundary };
  if (evidence.look_digest !== undefined) now.look_digest = digest;
  return Object.entries(now).flatMap(([name, value]) => differences(`look ${look.k} ${name}`, value, evidence[name]));
}
