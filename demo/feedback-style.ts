import { createRandom, type Random } from './random.js';

/**
 * How customers rate while the cycle's training data is gathered. Later, in experiment and bake, they are always
 * `honest`: an A/B test is about what people really think.
 *
 * - `honest`: a thumb for every answer, up if it is right and down if not, 5 % of them reversed by mistake; one in five
 *   wrong answers is corrected.
 * - `right-only`: a thumb for every answer, no mistakes, no corrections. What is good enough to be trained on is then
 *   only what the base already answers right: nothing new to learn.
 * - `wrong-labels`: every answer is corrected to a wrong label, always the same one for the same intent. The thumbs
 *   stay honest and come after the corrections, so that the champion's measured quality is still its own: it is the
 *   training data that is poisoned.
 */
export type FeedbackStyle = 'honest' | 'right-only' | 'wrong-labels';

/** Share of thumbs that are reversed by mistake, and of wrong answers that are corrected. */
export const MISTAKEN = 0.05;
export const CORRECTED = 0.2;

/** What a customer says about one answer, in the order in which it is sent. */
export type Rating = { kind: 'thumbs'; value: 1 | -1 } | { kind: 'correction'; value: string };

/**
 * The ratings of one answer.
 *
 * @param wrongLabel the label that `wrong-labels` puts in the place of the truth
 */
export function rate(
  answer: { right: boolean; truth: string },
  style: FeedbackStyle,
  random: Random,
  wrongLabel: (truth: string) => string,
): Rating[] {
  const thumb = (up: boolean): Rating => ({ kind: 'thumbs', value: up ? 1 : -1 });
  if (style === 'right-only') return [thumb(answer.right)];
  const mistaken = random.chance(MISTAKEN);
  const thumbs = thumb(answer.right !== mistaken);
  if (style === 'wrong-labels') return [{ kind: 'correction', value: wrongLabel(answer.truth) }, thumbs];
  // Who corrects has looked closely and does not press the wrong thumb: one in five of all wrong answers comes out of
  // the 95 % that are not mistaken.
  const corrects = !answer.right && !mistaken && random.chance(CORRECTED / (1 - MISTAKEN));
  return corrects ? [thumbs, { kind: 'correction', value: answer.truth }] : [thumbs];
}

/** A wrong label for every label: one seeded cycle through all of them, so none is its own. Needs at least two. */
export function wrongLabels(labels: readonly string[], seed: number): (truth: string) => string {
  const order = createRandom(seed, 'wrong labels').shuffle([...new Set(labels)]);
  if (order.length < 2) throw new RangeError('wrong labels need at least two labels');
  const next = new Map(order.map((label, index) => [label, order[(index + 1) % order.length] as string]));
  // For a truth that is none of the labels every label is wrong.
  return (truth) => next.get(truth) ?? (order[0] as string);
}
