import {
  type Bench,
  type BenchContext,
  interleave,
  measure,
  medians,
  type Sample,
  startPostgres,
} from '../harness/index.js';
import { requestBody } from '../traffic/bodies.js';
import { type Contestant, startOurs } from '../traffic/contestants.js';
import type { OpenLoad, OpenLoadSaid } from '../traffic/open-load.js';
import { startProgram } from '../traffic/program.js';
import type { UpstreamOptions } from '../traffic/upstream.js';

const PER_SECOND = 1_000;
/** Of each stream, after the first one. */
const EVENTS = 4;
const GAP_MS = 20;
const REQUEST_BYTES = 330;
const SUBJECTS = 10_000;

export const bench: Bench = {
  summary: 'time to the first byte that the gateway adds, at 1,000 streams a second',
  async run(context) {
    const postgres = await startPostgres(context);
    const upstreams = startProgram<UpstreamOptions, { ports: number[] }>(context, 'upstream', {
      ports: 1,
      bytes: 512,
      events: EVENTS,
      gapMs: GAP_MS,
    });
    const [upstream = 0] = (await upstreams.next()).ports;
    const direct: Contestant = { port: upstream, headers: {}, pids: [], stop: async () => {} };
    const samples = await interleave(
      context.runs,
      {
        understudy: async () => {
          const ours = await startOurs(context, postgres, { champion: upstream, challenger: upstream });
          try {
            return await load(context, ours);
          } finally {
            await ours.stop();
          }
        },
        direct: () => load(context, direct),
      },
      (name, run, { p50_ms, p99_ms }) =>
        context.say(`  run ${run + 1}  ${name.padEnd(11)} p50 ${p50_ms!.toFixed(2)} ms  p99 ${p99_ms!.toFixed(2)} ms`),
    );
    const [ours, theirs] = [medians(samples.understudy), medians(samples.direct)];
    return {
      figures: {
        p99_added_ms: ours.p99_ms! - theirs.p99_ms!,
        p50_added_ms: ours.p50_ms! - theirs.p50_ms!,
        ...ours,
      },
      ratios: {},
      peers: { direct: { version: 'the upstream itself', figure: theirs.p99_ms! } },
      runs: context.runs,
      samples,
    };
  },
};

async function load(context: BenchContext, contestant: Contestant): Promise<Sample> {
  const generator = startProgram<OpenLoad, OpenLoadSaid>(context, 'open-load', {
    port: contestant.port,
    perSecond: PER_SECOND,
    subjects: SUBJECTS,
    headers: contestant.headers,
    body: requestBody(REQUEST_BYTES, { stream: true }),
    warmUpMs: context.quick ? 2_000 : 8_000,
    measuredMs: context.quick ? 3_000 : 15_000,
  });
  try {
    await generator.next();
    let end: Extract<OpenLoadSaid, { kind: 'end' }> | undefined;
    const {
      wall_s: _,
      cpu_bench_s: __,
      ...measured
    } = await measure({ gateway: contestant.pids }, async () => {
      const said = await generator.next();
      if (said.kind === 'end') end = said;
      await contestant.settled?.(end!.total);
    });
    const { p50_ms, p99_ms, measured: streams } = end!;
    return { p50_ms, p99_ms, streams, ...measured };
  } finally {
    await generator.stop();
  }
}
