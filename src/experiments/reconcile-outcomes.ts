import { type Db, inTransaction } from '../db/index.js';
import { dropOutcomes, keepOutcomes } from '../outcomes/index.js';
import { type Experiment, readExperiment } from './experiment.js';
import { keptCuts } from './live-cuts.js';
import { type Cut, readArms, recountArms } from './read-arms.js';

/** A cut of which sums are kept, beside what its rows say at the same moment. */
export interface ReconciledCut {
  feedbackWindowMs: number;
  /** Null: sums that no real arm can have. */
  sums: Pick<Cut, 'champion' | 'second' | 'crossed'> | null;
  rows: Pick<Cut, 'champion' | 'second' | 'crossed'>;
  agrees: boolean;
}

/**
 * Compares the sums that are kept of an experiment with a full recount from rows, as of now and in one snapshot. Where they
 * differ, all that is kept of the experiment is made anew; looks and the watch loop read rows until then.
 *
 * @returns one result for each cut that was compared; none when nothing is kept, or too much is still to be counted
 */
export async function reconcileOutcomes(
  db: Pick<Db, 'pool' | 'prisma'>,
  experimentId: string,
  asOf = new Date(),
): Promise<ReconciledCut[]> {
  const experiment = await readExperiment(db, experimentId);
  const compared = await compare(db, experiment, asOf);
  if (compared.some(({ agrees }) => !agrees)) {
    await dropOutcomes(db, experimentId);
    await keepOutcomes(db, keptCuts(experiment));
  } else {
    await db.pool.query('UPDATE outcome_cuts SET reconciled_at = now() WHERE experiment_id = $1', [experimentId]);
  }
  return compared;
}

function compare(db: Pick<Db, 'pool'>, experiment: Experiment, asOf: Date): Promise<ReconciledCut[]> {
  return inTransaction(
    db,
    async (client) => {
      const compared: ReconciledCut[] = [];
      for (const { feedbackWindowMs, terms } of keptCuts(experiment)) {
        const secondArm = experiment.kind === 'ab' ? 'challenger' : 'holdback';
        const request = { experimentId: experiment.id, secondArm, asOf, feedbackWindowMs, ...terms } as const;
        const rows = await recountArms({ pool: client }, request);
        let sums: Cut | null;
        try {
          sums = await readArms({ pool: client }, request);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          sums = null;
        }
        if (sums?.from === 'rows') continue;
        compared.push({ feedbackWindowMs, sums, rows, agrees: sums?.digest === rows.digest });
      }
      return compared;
    },
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}
