import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Db } from '../../src/db/index.js';
import { onFreePort } from '../../src/dev/index.js';
import { awaitGateways, changeRoute, readRoute } from '../../src/routing/index.js';
import {
  applyBenchModel,
  type Bench,
  type BenchContext,
  benchKey,
  cpuSeconds,
  median,
  npmPeer,
  percentile,
  type Sample,
  startPostgres,
  startServer,
} from '../harness/index.js';
import { startLoad } from './load.js';
import { measureUnleash } from './unleash.js';

const MODEL = 'bench';
const GATEWAYS = 4;
const RATE = 5_000;
const PROGRAM = fileURLToPath(new URL('./upstream.js', import.meta.url));

/** What the upstream calls each version. */
const NAMES = ['one', 'two'] as const;

export const bench: Bench = {
  summary: 'from a route change to the last request that the old version served, four gateways under load',
  async run(context) {
    const flips = context.quick ? 10 : 60;
    const postgres = await startPostgres(context);
    const { db, url: databaseUrl } = await postgres.freshDatabase();
    const upstream = await startUpstream(context);
    await seed(db, upstream);
    const key = await benchKey(db, 'serve');
    const gateways = [];
    for (let n = 0; n < GATEWAYS; n++) {
      const state = path.join(context.folder, `state-${n}`);
      gateways.push(await startServer(context, { databaseUrl, env: { UNDERSTUDY_STATE: state } }));
    }
    const load = await startLoad(gateways, { rate: RATE, connections: 32, model: MODEL, key });
    const notify = await openNotify(databaseUrl);
    // Code is compiled and pools are filled before it counts.
    await pause(5_000);
    const before = load.counts();
    const startedAt = performance.now();
    const pids = gateways.map(({ pid }) => pid());
    const cpu = cpuSeconds(pids);

    const latencies: number[] = [];
    const waits: number[] = [];
    const notified: number[] = [];
    let late = 0;
    const samples: Sample[] = [];
    for (let flip = 0; flip < flips; flip++) {
      const from = await readRoute(db, MODEL);
      const old = NAMES[from.champion - 1]!;
      const moved = await move(db, from.epoch, from.champion === 1 ? 2 : 1);
      const changedAt = process.hrtime.bigint();
      const followed = await awaitGateways(db, { model: MODEL, epoch: moved });
      const stopWatching = load.watch(performance.now(), old);
      await pause(200 + Math.random() * 200);
      late += stopWatching();
      const last = (await (await fetch(`${upstream}/last`)).json()) as Record<string, string>;
      const each = gateways.map((_, gateway) => {
        const at = last[`${gateway} ${old}`];
        return at === undefined ? 0 : Math.max(0, Number(BigInt(at) - changedAt) / 1e6);
      });
      latencies.push(...each);
      waits.push(followed.ms);
      notified.push(...(await notify.measure()));
      samples.push({ slowest_ms: Math.max(...each), wait_ms: followed.ms, gateways: followed.gateways });
      context.show(`change ${flip + 1} of ${flips}: the last gateway after ${Math.max(...each).toFixed(1)} ms`);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const after = load.counts();
    const cpuAfter = cpuSeconds(pids);
    await load.stop();
    await notify.close();
    for (const gateway of gateways) await gateway.stop();
    if (samples.some(({ gateways: followed }) => followed !== GATEWAYS))
      throw new Error('a gateway did not follow a change');

    const peer = await npmPeer(context, 'unleash-client');
    const unleash = await measureUnleash(peer, {
      clients: GATEWAYS,
      flips: context.quick ? 1 : 8,
      show: (line) => context.show(line),
    });
    const answered = after.answered - before.answered;
    const p99 = percentile(latencies, 0.99);
    return {
      figures: {
        p99_ms: p99,
        p50_ms: median(latencies),
        max_ms: Math.max(...latencies),
        after_wait: late,
        wait_p50_ms: median(waits),
        wait_p99_ms: percentile(waits, 0.99),
        changes: flips,
        offered_per_s: RATE,
        answered_per_s: answered / seconds,
        failed: after.failed - before.failed,
        gateways_cpu_us_a_request: (1e6 * (cpuAfter - cpu)) / answered,
        unleash_p50_ms: median(unleash),
      },
      ratios: { notify: percentile(notified, 0.99) / p99, 'unleash-client': percentile(unleash, 0.99) / p99 },
      peers: {
        notify: { version: postgres.version, figure: percentile(notified, 0.99) },
        'unleash-client': { version: peer.version, figure: percentile(unleash, 0.99) },
      },
      runs: 1,
      samples: { understudy: samples },
    };
  },
};

async function startUpstream(context: BenchContext): Promise<string> {
  return onFreePort(undefined, async (port) => {
    const url = `http://127.0.0.1:${port}`;
    await context.supervisor.spawn('upstream', process.execPath, [PROGRAM, String(port)], {
      logFile: path.join(context.folder, 'logs', 'upstream.log'),
      env: {},
      ready: async () => (await fetch(`${url}/last`, { signal: AbortSignal.timeout(1_000) })).ok,
    });
    return url;
  });
}

/** A model with two versions that the same upstream answers for, under two names. */
async function seed(db: Db, upstream: string): Promise<void> {
  await applyBenchModel(db, MODEL, { policy: { upstream: { base_url: `${upstream}/v1`, model: NAMES[0] } } });
  await db.prisma.version.create({
    data: {
      model: MODEL,
      version: 2,
      label: '2.0.0',
      kind: 'remote',
      state: 'candidate',
      servedAs: NAMES[1],
      baseModel: 'bench-base',
      sandbox: true,
    },
  });
}

async function move(db: Db, expectedEpoch: number, champion: number): Promise<number> {
  const next = { champion, previous: 3 - champion, challenger: null, share: null, experimentId: null };
  const change = { model: MODEL, expectedEpoch, next, actor: 'bench', reason: 'bench', evidence: {} };
  const moved = await changeRoute(db, { ...change, action: 'rollback' });
  if (!moved.changed) throw new Error('somebody else moved the route of the bench');
  return moved.epoch;
}

/** NOTIFY alone: from its COMMIT to each of as many listeners as there are gateways, on the same Postgres under the same load. */
async function openNotify(url: string): Promise<{ measure(): Promise<number[]>; close(): Promise<void> }> {
  const sender = new pg.Client({ connectionString: url });
  await sender.connect();
  const listeners = await Promise.all(
    Array.from({ length: GATEWAYS }, async () => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('LISTEN bench_notify');
      return client;
    }),
  );
  return {
    async measure() {
      const heard = listeners.map(
        (client) =>
          new Promise<number>((resolve) => {
            client.once('notification', () => resolve(performance.now()));
          }),
      );
      await sender.query('NOTIFY bench_notify');
      const sentAt = performance.now();
      return (await Promise.all(heard)).map((at) => Math.max(0, at - sentAt));
    },
    async close() {
      await Promise.all([sender, ...listeners].map((client) => client.end()));
    },
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
