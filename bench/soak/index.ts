import { type Bench, rssMegabytes, startPostgres } from '../harness/index.js';
import { requestBody } from '../traffic/bodies.js';
import type { ClosedLoad, ClosedLoadSaid } from '../traffic/closed-load.js';
import { startOurs } from '../traffic/contestants.js';
import { startProgram } from '../traffic/program.js';
import type { UpstreamOptions } from '../traffic/upstream.js';

const SUBJECTS = 10_000;

/** One run whatever `--runs` says: it is about a long time. */
export const bench: Bench = {
  summary: 'memory of the gateway after 1,000,000 chat completions, by that after 100,000',
  async run(context) {
    const [early, late] = context.quick ? [10_000, 100_000] : [100_000, 1_000_000];
    const postgres = await startPostgres(context);
    const upstreams = startProgram<UpstreamOptions, { ports: number[] }>(context, 'upstream', {
      ports: 1,
      bytes: 512,
      events: 0,
      gapMs: 0,
    });
    const [upstream = 0] = (await upstreams.next()).ports;
    const ours = await startOurs(context, postgres, { champion: upstream, challenger: upstream });
    const generator = startProgram<ClosedLoad, ClosedLoadSaid>(context, 'closed-load', {
      port: ours.port,
      connections: 32,
      subjects: SUBJECTS,
      headers: ours.headers,
      body: requestBody(330),
      warmUpMs: 0,
      measuredRequests: late,
      marks: [early, late],
    });
    const memory: number[] = [];
    for (let said = await generator.next(); ; said = await generator.next()) {
      if (said.kind === 'passed') {
        memory.push(rssMegabytes(ours.pids));
        context.say(`  after ${said.requests.toLocaleString('en')} requests: ${memory.at(-1)!.toFixed(0)} MB`);
      }
      if (said.kind !== 'end') continue;
      await ours.settled?.(said.total);
      await ours.stop();
      const [before = Number.NaN, after = Number.NaN] = memory;
      const figures = { rss_ratio: after / before, rss_early_mb: before, rss_late_mb: after };
      return {
        figures: { ...figures, requests: said.total, requests_per_s: said.measured / said.seconds },
        ratios: {},
        peers: {},
        runs: 1,
      };
    }
  },
};
