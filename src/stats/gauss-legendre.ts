export interface Rule {
  /** in (-1, 1), ascending */
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}

const rules = new Map<number, Rule>();

/**
 * Gauss–Legendre nodes and weights on [-1, 1]: exact for polynomials of degree 2n − 1, and for smooth integrands as good
 * as any rule with n values (Davis and Rabinowitz 1984). Nodes are roots of the Legendre polynomial by Newton's steps.
 */
export function gaussLegendre(n: number): Rule {
  const known = rules.get(n);
  if (known !== undefined) return known;
  const rule = { nodes: new Float64Array(n), weights: new Float64Array(n) };
  for (let i = 0; i < n; i++) {
    let x = -Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 6; step++) {
      const [value, derivative] = legendre(n, x);
      slope = derivative;
      x -= value / derivative;
    }
    rule.nodes[i] = x;
    rule.weights[i] = 2 / ((1 - x * x) * slope * slope);
  }
  rules.set(n, rule);
  return rule;
}

/** The Legendre polynomial of degree n at x, and its derivative. */
function legendre(n: number, x: number): [number, number] {
  let before = 1;
  let value = x;
  for (let k = 2; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
  return [value, (n * (x * value - before)) / (x * x - 1)];
}

/** Integral of f from `from` to `to`, in `panels` equal pieces with a rule of 16 nodes each. */
export function integrate(f: (x: number) => number, from: number, to: number, panels: number): number {
  const { nodes, weights } = gaussLegendre(16);
  const half = (to - from) / panels / 2;
  let sum = 0;
  for (let panel = 0; panel < panels; panel++) {
    const centre = from + (2 * panel + 1) * half;
    for (let i = 0; i < nodes.length; i++) sum += (weights[i] as number) * f(centre + half * (nodes[i] as number));
  }
  return sum * half;
}
