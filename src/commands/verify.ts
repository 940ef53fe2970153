import { verifyExperiments } from '../experiments/index.js';
import { verifyChain } from '../routing/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/**
 * Checks the chain of a model's route changes and makes every stored decision about it again. Exit code 1 when anything
 * does not fit.
 */
export async function verify(model: string, options: { json?: boolean }): Promise<void> {
  const { chain, experiments } = await withDb(async (db) => ({
    chain: await verifyChain(db, model),
    experiments: await verifyExperiments(db, model),
  }));
  const looks = experiments.reduce((sum, experiment) => sum + experiment.looks, 0);
  const ok = chain.broken.length === 0 && experiments.every(({ misfits }) => misfits.length === 0);
  if (!ok) process.exitCode = 1;
  show(options.json ?? false, { model, ok, route_changes: chain, experiments }, () =>
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
      ok ? 'Everything fits: the chain is whole, and every decision follows from its row.' : 'NOT ok.',
    ].join('\n'),
  );
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

function text(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 120 ? `${json.slice(0, 117)}...` : json;
}
