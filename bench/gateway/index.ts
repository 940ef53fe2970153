import {
  type Bench,
  type BenchContext,
  interleave,
  measure,
  medians,
  npmPeer,
  type Peer,
  pythonPeer,
  type Sample,
  startPostgres,
} from '../harness/index.js';
import { requestBody } from '../traffic/bodies.js';
import type { ClosedLoad, ClosedLoadSaid } from '../traffic/closed-load.js';
import {
  type Contestant,
  startBareProxy,
  startLitellm,
  startOurs,
  startPortkey,
  type Upstream,
} from '../traffic/contestants.js';
import { startProgram } from '../traffic/program.js';
import type { UpstreamOptions } from '../traffic/upstream.js';

const REQUEST_BYTES = 330;
const ANSWER_BYTES = 512;
const CONNECTIONS = 32;
const SUBJECTS = 10_000;

export const bench: Bench = {
  summary: 'chat completions a second through the gateway, with an experiment and durable capture',
  async run(context) {
    const postgres = await startPostgres(context);
    const upstreams = startProgram<UpstreamOptions, { ports: number[] }>(context, 'upstream', {
      ports: 2,
      bytes: ANSWER_BYTES,
      events: 0,
      gapMs: 0,
    });
    const [champion = 0, challenger = 0] = (await upstreams.next()).ports;
    const upstream: Upstream = { champion, challenger };
    const portkey = await npmPeer(context, '@portkey-ai/gateway');
    const litellm = await pythonPeer(context, 'litellm[proxy]');

    const run = (start: () => Promise<Contestant>) => async () => {
      const contestant = await start();
      try {
        return await load(context, contestant, postgres.pid());
      } finally {
        await contestant.stop();
      }
    };
    const samples = await interleave(
      context.runs,
      {
        understudy: run(() => startOurs(context, postgres, upstream)),
        'bare-proxy': run(() => startBareProxy(context, upstream)),
        portkey: run(() => startPortkey(context, portkey, upstream)),
        litellm: run(() => startLitellm(context, litellm, upstream)),
      },
      (name, turn, { requests_per_s, p99_ms, cpu_gateway_us }) =>
        context.say(
          `  run ${turn + 1}  ${name.padEnd(11)} ${Math.round(requests_per_s!).toLocaleString('en').padStart(7)} requests/s  p99 ${p99_ms!.toFixed(1).padStart(6)} ms  ${cpu_gateway_us!.toFixed(0).padStart(6)} µs of CPU a request`,
        ),
    );
    const ours = medians(samples.understudy);
    const of = (name: keyof typeof samples, figure: string) => medians(samples[name])[figure] ?? Number.NaN;
    const rate = (name: keyof typeof samples) => of(name, 'requests_per_s');
    const version = ({ version }: Peer) => version;
    return {
      figures: ours,
      ratios: {
        portkey: ours.requests_per_s! / rate('portkey'),
        litellm: ours.requests_per_s! / rate('litellm'),
        'bare-proxy': ours.requests_per_s! / rate('bare-proxy'),
        'bare-proxy-cpu': of('bare-proxy', 'cpu_gateway_us') / ours.cpu_gateway_us!,
        'portkey-p99': of('portkey', 'p99_ms') / ours.p99_ms!,
      },
      peers: {
        portkey: { version: version(portkey), figure: rate('portkey') },
        litellm: { version: version(litellm), figure: rate('litellm') },
        'bare-proxy': { version: `node:http ${process.version}`, figure: rate('bare-proxy') },
        'bare-proxy-cpu': { version: `node:http ${process.version}`, figure: of('bare-proxy', 'cpu_gateway_us') },
        'portkey-p99': { version: version(portkey), figure: of('portkey', 'p99_ms') },
      },
      runs: context.runs,
      samples,
    };
  },
};

/**
 * One run: warm, then measured. CPU is counted until everything is stored, and divided by the measured requests; that of
 * Postgres, of load generator and upstream is apart.
 */
async function load(context: BenchContext, contestant: Contestant, postgres: number | undefined): Promise<Sample> {
  const generator = startProgram<ClosedLoad, ClosedLoadSaid>(context, 'closed-load', {
    port: contestant.port,
    connections: CONNECTIONS,
    subjects: SUBJECTS,
    headers: contestant.headers,
    body: requestBody(REQUEST_BYTES),
    warmUpMs: context.quick ? 1_000 : 5_000,
    measuredMs: context.quick ? 2_000 : 12_000,
  });
  try {
    await generator.next();
    let end: Extract<ClosedLoadSaid, { kind: 'end' }> | undefined;
    const groups = { gateway: contestant.pids, postgres: [postgres], load: [generator.pid] };
    const { wall_s, ...measured } = await measure(groups, async () => {
      const said = await generator.next();
      if (said.kind !== 'end') throw new Error(`the load generator said ${said.kind}`);
      end = said;
      await contestant.settled?.(said.total);
    });
    const { measured: requests, seconds: lasted, p50_ms, p99_ms } = end!;
    const each = (seconds: number | undefined) => ((seconds ?? Number.NaN) * 1e6) / requests;
    return {
      requests_per_s: requests / lasted,
      p50_ms,
      p99_ms,
      cpu_gateway_us: each(measured.cpu_gateway_s),
      cpu_postgres_us: each(measured.cpu_postgres_s),
      cpu_load_us: each(measured.cpu_load_s),
      /** After the last answer, until everything was stored. */
      behind_s: wall_s! - lasted,
      rss_gateway_mb: measured.rss_gateway_mb!,
    };
  } finally {
    await generator.stop();
  }
}
