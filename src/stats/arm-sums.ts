/**
 * What one arm of an experiment looks like at one moment, as sums over its subjects: all that the statistics need, all
 * of it whole numbers, so that a look can be stored in one row and recomputed from it to the last digit.
 *
 * Subject s has e interactions in the cut, m of them with an outcome, x of those positive (0 <= x <= m <= e).
 * Subjects seen in both arms are left out of everything but `O`.
 */
export interface ArmSums {
  /** Subjects of the cut, in the arm of their first exposure, counted BEFORE those seen in both arms are left out. */
  readonly O: number;
  /** Subjects with at least one interaction in the cut (e > 0). */
  readonly S: number;
  /** Subjects with at least one outcome (m > 0). */
  readonly N: number;
  /** Interactions in the cut, Σe. */
  readonly E: number;
  /** Interactions with an outcome, Σm. */
  readonly n: number;
  /** Interactions with a positive outcome, Σx. */
  readonly x: number;
  /** Σm² */
  readonly m2: number;
  /** Σx² */
  readonly x2: number;
  /** Σx·m */
  readonly xm: number;
  /** Σe² */
  readonly e2: number;
  /** Σe·m */
  readonly em: number;
  /** All requests assigned to the arm, whether or not in the cut: what guardrails count. */
  readonly requests: number;
  /** Requests of `requests` that failed; one answered by another version (a fall-back) failed. */
  readonly errors: number;
  /** Requests of `requests` slower than the slow_rate guardrail allows; left out where there is no such guardrail. */
  readonly slow?: number;
}

/** One subject's part of an arm. */
export interface SubjectCounts {
  readonly e: number;
  readonly m: number;
  readonly x: number;
}

/** Adds subjects up. Requests and errors are not known from subjects: they are 0 unless given. */
export function sumArm(
  subjects: Iterable<SubjectCounts>,
  guardrails: { readonly requests?: number; readonly errors?: number; readonly slow?: number } = {},
): ArmSums {
  const sums = { O: 0, S: 0, N: 0, E: 0, n: 0, x: 0, m2: 0, x2: 0, xm: 0, e2: 0, em: 0 };
  for (const { e, m, x } of subjects) {
    sums.O += 1;
    sums.S += e > 0 ? 1 : 0;
    sums.N += m > 0 ? 1 : 0;
    sums.E += e;
    sums.n += m;
    sums.x += x;
    sums.m2 += m * m;
    sums.x2 += x * x;
    sums.xm += x * m;
    sums.e2 += e * e;
    sums.em += e * m;
  }
  return checkArmSums({ ...sums, requests: 0, errors: 0, ...guardrails });
}

const SUMS = ['O', 'S', 'N', 'E', 'n', 'x', 'm2', 'x2', 'xm', 'e2', 'em', 'requests', 'errors'] as const;

/** What must hold between the sums of any real arm; a query that joins wrongly breaks one of these at once. */
const CHAINS: readonly (readonly (keyof ArmSums)[])[] = [
  ['x', 'n', 'E', 'e2'],
  ['x', 'x2', 'xm', 'm2', 'em', 'e2'],
  ['N', 'n', 'm2'],
  ['N', 'S', 'E'],
  ['errors', 'requests'],
  ['slow', 'requests'],
];

/**
 * Returns the sums when they can be those of a real arm.
 * @throws RangeError naming the sum that is not a whole number >= 0, or the two that contradict each other
 */
export function checkArmSums(sums: ArmSums): ArmSums {
  for (const name of SUMS)
    if (!Number.isSafeInteger(sums[name]) || (sums[name] as number) < 0)
      throw new RangeError(`${name} of an arm is a whole number >= 0, not ${sums[name]}`);
  if (sums.slow !== undefined && !(Number.isSafeInteger(sums.slow) && sums.slow >= 0))
    throw new RangeError(`slow of an arm is a whole number >= 0, not ${sums.slow}`);
  for (const chain of CHAINS)
    chain.slice(1).forEach((larger, i) => {
      const smaller = chain[i] as keyof ArmSums;
      const [low, high] = [sums[smaller], sums[larger]];
      if (low !== undefined && high !== undefined && low > high)
        throw new RangeError(`an arm cannot have ${smaller} = ${low} with ${larger} = ${high}`);
    });
  return sums;
}
