import { type Limits, normalIsf } from '../stats/index.js';
import { compareMetric, type MeasuredArms, type MetricCount } from './compare-metric.js';
import type { MetricRule } from './metric-rules.js';

/** A metric in one arm. */
export interface ArmFigure extends MetricCount {
  /** null: unknown, because nothing was measured */
  readonly value: number | null;
  /** 1 − alpha; null with fewer than two subjects */
  readonly interval: Limits | null;
}

/** A declared metric at one look. Shown for what it is; of all but the primary one nothing is corrected for the looks. */
export interface MetricFigure {
  readonly name: string;
  readonly type: MetricRule['type'];
  readonly better: MetricRule['better'];
  readonly champion: ArmFigure;
  readonly challenger: ArmFigure;
  /** challenger minus champion, as measured; null: unknown */
  readonly delta: number | null;
  /** of `delta`, 1 − alpha */
  readonly interval: Limits | null;
  /** two-sided; null when not tested */
  readonly p: number | null;
}

const UNKNOWN: ArmFigure = { n: 0, subjects: 0, value: null, interval: null };

/** Every declared metric in both arms, with intervals at the level 1 − alpha. */
export function metricFigures(
  rules: readonly MetricRule[],
  measured: MeasuredArms | undefined,
  alpha: number,
): MetricFigure[] {
  const z = normalIsf(alpha / 2);
  return rules.map((rule) => {
    const { name, type, better } = rule;
    const compared = measured && compareMetric(measured, rule);
    if (!compared) {
      return { name, type, better, champion: UNKNOWN, challenger: UNKNOWN, delta: null, interval: null, p: null };
    }
    const { counts, delta, seInterval, tested, p } = compared;
    const arm = (side: 'champion' | 'challenger'): ArmFigure => {
      const figure = compared[side];
      return {
        ...counts[side],
        value: figure?.value ?? null,
        interval: figure && around(figure.value, z * Math.sqrt(figure.variance)),
      };
    };
    return {
      ...{ name, type, better, champion: arm('champion'), challenger: arm('challenger'), delta },
      interval: delta === null || seInterval === null ? null : around(delta, z * seInterval),
      p: tested ? p : null,
    };
  });
}

function around(value: number, half: number): Limits {
  return { lower: value - half, upper: value + half };
}
