import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Bench, interleave, medians, npmPeer, type Sample } from '../harness/index.js';
import type { SubjectKind } from './subjects.js';

const PROGRAM = fileURLToPath(new URL('./assign-all.js', import.meta.url));

export const bench: Bench = {
  summary: 'assignments a second of distinct subjects to two arms, 90/10, in one process',
  async run(context) {
    const all = context.quick ? 1_000_000 : 10_000_000;
    const peer = await npmPeer(context, '@growthbook/growthbook');
    const stop = new AbortController();
    context.supervisor.defer('assignment', async () => stop.abort());
    const one = async (name: string, count: number, kind: SubjectKind, folder: string[]) => {
      context.show(`${name}: ${count.toLocaleString('en')} assignments`);
      const args = [PROGRAM, name, String(count), kind, randomUUID(), ...folder];
      const { stdout } = await promisify(execFile)(process.execPath, args, { signal: stop.signal });
      const sample = JSON.parse(stdout) as { second: number; wall_s: number; cpu_s: number; rss_mb: number };
      // Ten standard deviations: an arm that is not a tenth was not assigned.
      if (Math.abs(sample.second - count / 10) > 10 * Math.sqrt(0.09 * count))
        throw new Error(`${name} put ${sample.second} of ${count} into an arm of a tenth`);
      return { per_s: count / sample.wall_s, cpu_ns: (1e9 * sample.cpu_s) / count, ...sample };
    };
    const run = async (name: string, folder: string[] = []): Promise<Sample> => {
      const users = await one(name, all, 'user', folder);
      const hashed = await one(name, all / 5, 'hashed', folder);
      return { ...users, hashed_per_s: hashed.per_s, hashed_cpu_ns: hashed.cpu_ns };
    };
    const samples = await interleave(
      context.runs,
      { understudy: () => run('ours'), growthbook: () => run('growthbook', [peer.folder]) },
      (name, turn, { per_s, cpu_ns }) =>
        context.say(
          `  run ${turn + 1}  ${name.padEnd(10)} ${Math.round(per_s!).toLocaleString('en').padStart(11)} a second  ${cpu_ns!.toFixed(0)} ns of CPU each`,
        ),
    );
    const ours = medians(samples.understudy);
    const theirs = medians(samples.growthbook);
    return {
      figures: {
        assignments_per_s: ours.per_s!,
        cpu_ns: ours.cpu_ns!,
        growthbook_cpu_ns: theirs.cpu_ns!,
        cpu_ratio: theirs.cpu_ns! / ours.cpu_ns!,
        hashed_per_s: ours.hashed_per_s!,
        hashed_cpu_ns: ours.hashed_cpu_ns!,
        hashed_ratio: ours.hashed_per_s! / theirs.hashed_per_s!,
        rss_mb: ours.rss_mb!,
      },
      ratios: { growthbook: ours.per_s! / theirs.per_s! },
      peers: { growthbook: { version: peer.version, figure: theirs.per_s! } },
      runs: context.runs,
      samples,
    };
  },
};
