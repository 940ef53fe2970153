import type { Sample } from './bench.js';

/** The middle value, or the mean of the two in the middle. @throws RangeError for none */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below which a share of all lies (nearest rank). @throws RangeError for none */
export function percentile(values: readonly number[] | Float64Array, share: number): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!;
}

/** The median of every number that the samples have. */
export function medians(samples: readonly Sample[]): Record<string, number> {
  const names = new Set(samples.flatMap((sample) => Object.keys(sample)));
  return Object.fromEntries(
    [...names].map((name) => [name, median(samples.flatMap((sample) => sample[name] ?? []))] as const),
  );
}

/**
 * Runs every contestant `runs` times, one after the other and in turn, so that what changes on the machine meanwhile
 * meets them alike; each run begins with the next one.
 */
export async function interleave<Name extends string>(
  runs: number,
  contestants: Readonly<Record<Name, (run: number) => Promise<Sample>>>,
  onSample: (name: Name, run: number, sample: Sample) => void = () => {},
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(contestants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Sample[]>;
  for (let run = 0; run < runs; run++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(run + turn) % names.length]!;
      const sample = await contestants[name](run);
      samples[name].push(sample);
      onSample(name, run, sample);
    }
  }
  return samples;
}

/** Rounds to so many significant digits; figures are measurements. */
export function rounded(value: number, digits = 4): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}
