import type { RouteChangeRecord } from '../routing/index.js';

/** One prolongation of an experiment, as the chain of route changes holds it. */
export interface Extension {
  /** The workflow's clock, epoch milliseconds: it counts for the looks from then on. */
  readonly asOf: number;
  readonly byMs: number;
}

/** What a route change says about it; one that was forged into something else prolongs nothing. */
export function extensionOf({ evidence }: RouteChangeRecord): Extension {
  const { as_of: asOf, by_ms: byMs } = evidence;
  return {
    asOf: typeof asOf === 'string' ? Date.parse(asOf) : Number.NaN,
    byMs: typeof byMs === 'number' ? byMs : 0,
  };
}

/** All of them together, in milliseconds. */
export function sum(extensions: readonly Extension[]): number {
  return extensions.reduce((total, { byMs }) => total + byMs, 0);
}
