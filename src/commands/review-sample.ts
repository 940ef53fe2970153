import { drawSample } from '../reviews/index.js';
import { show } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

/** Draws answers of both arms to be graded blindly. */
export async function reviewSample(
  model: string,
  options: { perArm: string; seed?: string; json?: boolean },
): Promise<void> {
  const perArm = wholeNumber('--per-arm', options.perArm);
  const drawn = await withDb((db) => drawSample(db, { model, perArm, seed: options.seed, asOf: new Date() }));
  show(options.json ?? false, { model, ...drawn }, () =>
    drawn.perArm === 0
      ? `${model}: nothing to draw: an arm has no answers since the draw before.`
      : `${model}: draw ${drawn.draw}, ${drawn.perArm} answers of each arm${drawn.perArm < perArm ? ', all that an arm has' : ''}.`,
  );
}
