import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { ROOT } from '#setup/toolchain.mjs';
import type { BenchResult } from './bench.js';
import { rounded } from './statistics.js';

/** What `--json` writes. */
export interface Report extends BenchResult {
  name: string;
  quick: boolean;
  machine: Machine;
  /** Of the clone; with `+changes` when files differ from it. Null outside a clone. */
  commit: string | null;
}

export interface Machine {
  cpu: string;
  cores: number;
  memory_gb: number;
  system: string;
  node: string;
}

export function createReport(
  name: string,
  result: BenchResult,
  where: { quick: boolean; machine: Machine; commit: string | null },
): Report {
  const round = (values: Record<string, number>) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, rounded(value)]));
  return {
    name,
    figures: round(result.figures),
    ratios: round(result.ratios),
    peers: Object.fromEntries(
      Object.entries(result.peers).map(([peer, { version, figure }]) => [peer, { version, figure: rounded(figure) }]),
    ),
    runs: result.runs,
    quick: where.quick,
    machine: where.machine,
    commit: where.commit,
    ...(result.samples && {
      samples: Object.fromEntries(
        Object.entries(result.samples).map(([who, samples]) => [who, samples.map((sample) => round(sample))]),
      ),
    }),
  };
}

/** The report for people. */
export function formatReport(report: Report): string {
  const width = Math.max(...Object.keys(report.figures).map((name) => name.length), 12);
  const lines = [`${report.name}: medians of ${report.runs} runs${report.quick ? ' (quick: they mean little)' : ''}`];
  for (const [name, value] of Object.entries(report.figures)) lines.push(`  ${name.padEnd(width)}  ${shown(value)}`);
  for (const [peer, { version, figure }] of Object.entries(report.peers)) {
    const ratio = report.ratios[peer];
    const against = ratio === undefined ? '' : `; ours is ${ratio} times that`;
    lines.push(`  ${peer} (${version}): ${shown(figure)}${against}`);
  }
  return lines.join('\n');
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 10 ? 4 : 1 });
}

export function machine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memory_gb: Math.round(os.totalmem() / 1e9),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
  };
}

export function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+changes'}`;
  } catch {
    return null;
  }
}
