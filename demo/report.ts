import type { DemoSnapshot } from './snapshot.js';
import { percent, whole } from './table.js';

/**
 * The line that is rewritten in place on a terminal: phase, time, and what the phase is about.
 *
 * @param width columns of the terminal; the line is cut to fit, since a line that wraps cannot be rewritten
 */
export function statusLine(snapshot: DemoSnapshot, width = 120): string {
  const parts = [`${snapshot.phase} ${clock(snapshot.phaseSeconds)}`, ...details(snapshot)];
  const { requests, failed } = snapshot.traffic;
  if (requests > 0 && snapshot.phase !== 'asking') parts.push(`${whole(requests)} requests, ${whole(failed)} failed`);
  return cut(parts.join('  ·  '), width);
}

/** The line a finished phase leaves behind, with what is known at its end. */
export function phaseLine(snapshot: DemoSnapshot): string {
  const time = clock(snapshot.phaseSeconds).padStart(6);
  return `${snapshot.phase.padEnd(14)}${time}  ${details(snapshot).join(', ')}`.trimEnd();
}

function details(snapshot: DemoSnapshot): string[] {
  switch (snapshot.phase) {
    case 'asking':
      return askingDetails(snapshot);
    case 'training':
      return trainingDetails(snapshot);
    case 'experimenting':
    case 'promoting':
    case 'baking':
      return experimentDetails(snapshot);
    default:
      return [];
  }
}

function askingDetails({ asking, traffic, phaseSeconds }: DemoSnapshot): string[] {
  if (!asking) return [];
  const rate = phaseSeconds > 0 ? ` (${Math.round(asking.asked / phaseSeconds)}/s)` : '';
  const right = Object.values(traffic.versions).reduce((sum, version) => sum + version.right, 0);
  const answered = Object.values(traffic.versions).reduce((sum, version) => sum + version.asked, 0);
  const failed = traffic.failed > 0 ? [`${whole(traffic.failed)} failed`] : [];
  return [
    `${whole(asking.asked)} of ${whole(asking.of)} questions${rate}`,
    `${percent(right, answered)} right`,
    ...failed,
  ];
}

function trainingDetails({ training }: DemoSnapshot): string[] {
  if (!training) return [];
  const loss = training.loss === null ? [] : [`loss ${training.loss.toFixed(3)}`];
  return [`step ${whole(training.step)} of ${whole(training.total)}`, ...loss];
}

function experimentDetails({ experiment }: DemoSnapshot): string[] {
  if (!experiment) return [];
  const arm = ({ version, n, x }: { version: number; n: number; x: number }) =>
    `v${version} ${whole(x)}/${whole(n)} ${percent(x, n)}`;
  const z = experiment.z === null ? [] : [`z ${experiment.z.toFixed(2)}`];
  return [arm(experiment.champion), arm(experiment.challenger), ...z];
}

/** Seconds as `7s` or `2m05s`. */
export function clock(seconds: number): string {
  const all = Math.max(0, Math.floor(seconds));
  return all < 60 ? `${all}s` : `${Math.floor(all / 60)}m${String(all % 60).padStart(2, '0')}s`;
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}
