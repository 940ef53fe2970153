/** Latencies without keeping each of them. */
export interface Histogram {
  add(ms: number): void;
  count(): number;
  /** To 10 µs; latencies over ten seconds count as ten. 0 for none. */
  percentile(share: number): number;
}

const PER_MS = 100;
const LARGEST_MS = 10_000;

export function createHistogram(): Histogram {
  const counts = new Uint32Array(LARGEST_MS * PER_MS + 1);
  let all = 0;
  return {
    add(ms) {
      const at = Math.floor(ms * PER_MS);
      const index = Math.min(at, counts.length - 1);
      counts[index] = counts[index]! + 1;
      all += 1;
    },
    count: () => all,
    percentile(share) {
      const wanted = Math.ceil(all * share);
      let passed = 0;
      for (let at = 0; at < counts.length; at++) {
        passed += counts[at]!;
        if (passed >= wanted) return at / PER_MS;
      }
      return 0;
    },
  };
}
