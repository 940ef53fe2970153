import { reviewStatus } from '../reviews/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** How far the review of the newest experiment is. Says nothing about the arms. */
export async function showReviewStatus(model: string, options: { json?: boolean }): Promise<void> {
  const status = await withDb((db) => reviewStatus(db, model));
  show(options.json ?? false, { model, ...status }, () => {
    const { experimentId, items, draws, sources } = status;
    const rows = sources.map(({ source, graded, mean, calibration }) => [
      ...[source, graded, mean.toFixed(3), calibration?.both],
      ...[calibration?.agreement.toFixed(3), calibration?.kappa?.toFixed(3)],
    ]);
    return [
      `${model}: ${items} answers of experiment ${experimentId} in ${draws} draw${draws === 1 ? '' : 's'}.`,
      ...(rows.length === 0
        ? ['Nothing is graded yet.']
        : [table(['source', 'graded', 'mean', 'both graded', 'agreement', 'kappa'], rows)]),
    ].join('\n');
  });
}
