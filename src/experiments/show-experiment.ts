import type { Db } from '../db/index.js';
import { findExperiment } from './experiment.js';
import type { LookEvidence } from './look-row.js';
import type { MetricFigure } from './metric-figures.js';

/** An experiment with what its looks saw. */
export interface ShownExperiment {
  id: string;
  kind: 'ab' | 'bake';
  champion: number;
  challenger: number;
  share: number;
  /** The metric that decides. */
  primary: string;
  startedAt: Date;
  endedAt: Date | null;
  decision: string | null;
  reason: string | null;
  looks: {
    k: number;
    takenAt: Date;
    decision: string;
    reason: string | null;
    explanation: string;
    /** The declared metrics. */
    metrics: readonly MetricFigure[];
  }[];
}

/** Reads the newest experiment of a model, or the one with this id. Throws `unknown_model`, `not_found`. */
export async function showExperiment(db: Pick<Db, 'prisma'>, model: string, id?: string): Promise<ShownExperiment> {
  const experiment = await findExperiment(db, model, { id });
  const { kind, champion, challenger, share, settings, startedAt, endedAt, decision, reason } = experiment;
  const looks = await db.prisma.look.findMany({ where: { experimentId: experiment.id }, orderBy: { k: 'asc' } });
  return {
    ...{ id: experiment.id, kind, champion, challenger, share, primary: settings.experiment.primary },
    ...{ startedAt, endedAt, decision, reason },
    looks: looks.map((look) => {
      const { explanation, figures } = look.evidence as unknown as LookEvidence;
      const { k, takenAt } = look;
      // Looks from before there were metrics, and of a bandit, have none.
      return { k, takenAt, decision: look.decision, reason: look.reason, explanation, metrics: figures.metrics ?? [] };
    }),
  };
}
