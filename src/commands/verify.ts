import type { Db } from '../db/index.js';
import { readLiveExperiments, reconcileOutcomes, verifyExperiments } from '../experiments/index.js';
import { verifyChain } from '../routing/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/**
 * Checks the chain of a model's route changes, makes every stored decision about it again, and compares the sums of a live
 * experiment with a full recount; sums that are wrong are made anew. Exit code 1 when anything does not fit.
 */
export async function verify(model: string, options: { json?: boolean }): Promise<void> {
  const { chain, experiments, sums } = await withDb(async (db) => ({
    chain: await verifyChain(db, model),
    experiments: await verifyExperiments(db, model),
    sums: await reconcileLive(db, model),
  }));
  const looks = experiments.reduce((sum, experiment) => sum + experiment.looks, 0);
  const ok =
    chain.broken.length === 0 &&
    experiments.every(({ misfits }) => misfits.length === 0) &&
    sums.every(({ agrees }) => agrees);
  if (!ok) process.exitCode = 1;
  show(options.json ?? false, { model, ok, route_changes: chain, experiments, sums }, () =>
    [
      `${model}: ${counted(chain.checked, 'route change')}, ${counted(experiments.length, 'experiment')}, ${counted(looks, 'look')} checked.`,
      ...chain.broken.map(
        ({ epoch, field, stored, expected }) =>
          `route change ${epoch}: ${field} is ${text(stored)}, not ${text(expected)}`,
      ),
      ...experiments.flatMap(({ id, misfits }) =>
        misfits.map(
          ({ look, field, stored, expected }) =>
            `experiment ${id}${look === null ? '' : `, look ${look}`}: ${field} is ${text(stored)}, not ${text(expected)}`,
        ),
      ),
      ...sums.map(({ experiment, feedback_window_ms, agrees }) => {
        const which = `experiment ${experiment}: the sums with a feedback window of ${feedback_window_ms / 1_000} s`;
        return agrees ? `${which} are those of its rows.` : `${which} were not those of its rows; they are made anew.`;
      }),
      ok ? 'Everything fits: the chain is whole, and every decision follows from its row.' : 'NOT ok.',
    ].join('\n'),
  );
}

/** Of an experiment that has just begun, or that nobody watches, no sums may be kept yet: then there is nothing to compare. */
async function reconcileLive(db: Db, model: string) {
  const live = (await readLiveExperiments(db)).filter((experiment) => experiment.model === model);
  const compared = await Promise.all(
    live.map(async ({ id }) =>
      (await reconcileOutcomes(db, id)).map(({ feedbackWindowMs, agrees }) => ({
        experiment: id,
        feedback_window_ms: feedbackWindowMs,
        agrees,
      })),
    ),
  );
  return compared.flat();
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

function text(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 120 ? `${json.slice(0, 117)}...` : json;
}
