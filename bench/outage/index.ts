import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, type BenchContext, type BenchPostgres, startPostgres, startServer } from '../harness/index.js';
import { requestBody } from '../traffic/bodies.js';
import type { ClosedLoad, ClosedLoadSaid } from '../traffic/closed-load.js';
import { type OwnContestant, startOurs, stored, type Upstream } from '../traffic/contestants.js';
import { startProgram } from '../traffic/program.js';
import type { UpstreamOptions } from '../traffic/upstream.js';

const BEFORE_MS = 5_000;
const AFTER_MS = 10_000;
/** A few at a time: the figure is what is kept, not how fast. */
const CONNECTIONS = 4;

/** One run whatever `--runs` says: it holds or it does not. */
export const bench: Bench = {
  summary: 'Postgres away for 60 s under load, and a gateway killed with a full spool: nothing fails, nothing is lost',
  async run(context) {
    const outageMs = context.quick ? 10_000 : 60_000;
    const postgres = await startPostgres(context);
    const upstreams = startProgram<UpstreamOptions, { ports: number[] }>(context, 'upstream', {
      ports: 2,
      bytes: 512,
      events: 0,
      gapMs: 0,
    });
    const [champion = 0, challenger = 0] = (await upstreams.next()).ports;
    const upstream = { champion, challenger };
    const away = await postgresAway(context, postgres, upstream, outageMs);
    const killed = await gatewayKilled(context, postgres, upstream, outageMs / 2);
    return { figures: { ...away, ...killed }, ratios: {}, peers: {}, runs: 1 };
  },
};

/** The load generator ends with an error at the first answer that is not 200. */
async function postgresAway(context: BenchContext, postgres: BenchPostgres, upstream: Upstream, outageMs: number) {
  const ours = await startOurs(context, postgres, upstream, spoolOf(context, 'away'));
  const load = startLoad(context, ours, BEFORE_MS + outageMs + AFTER_MS);
  await load.next();
  await sleep(BEFORE_MS);
  context.show(`Postgres is away for ${outageMs / 1_000} s`);
  await postgres.stop();
  await sleep(outageMs);
  const spooled = await metric(ours, 'understudy_spool_bytes');
  await postgres.start();
  const said = await load.next();
  if (said.kind !== 'end') throw new Error(`the load generator said ${said.kind}`);
  const startedAt = performance.now();
  await ours.settled?.(said.total);
  context.say(
    `  Postgres away for ${outageMs / 1_000} s: ${said.total.toLocaleString('en')} requests, none failed, all stored once`,
  );
  const figures = {
    away_requests: said.total,
    away_failed: 0,
    away_lost: 0,
    away_p99_ms: said.p99_ms,
    spooled_mb: spooled / 1e6,
    caught_up_s: (performance.now() - startedAt) / 1_000,
  };
  await ours.stop();
  return figures;
}

async function gatewayKilled(context: BenchContext, postgres: BenchPostgres, upstream: Upstream, loadMs: number) {
  const spool = spoolOf(context, 'killed');
  const ours = await startOurs(context, postgres, upstream, spool);
  await ask(ours);
  await postgres.stop();
  const load = startLoad(context, ours, loadMs);
  await load.next();
  const said = await load.next();
  if (said.kind !== 'end') throw new Error(`the load generator said ${said.kind}`);
  // What is in memory for its 50 ms is lost with the process, and documented so.
  while ((await metric(ours, 'understudy_queued_captures')) > 0) await sleep(20);
  const bytes = await metric(ours, 'understudy_spool_bytes');
  process.kill(ours.pids[0]!, 'SIGKILL');
  await postgres.start();
  const startedAt = performance.now();
  const next = await startServer(context, { databaseUrl: ours.database.url, env: spool });
  await stored(ours.database, said.total + 1);
  context.say(
    `  killed with ${Math.round(bytes / 1e6)} MB in its spool: ${said.total.toLocaleString('en')} requests, all stored once`,
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  await next.stop();
  await ours.stop();
  return { killed_requests: said.total, killed_lost: 0, killed_spool_mb: bytes / 1e6, killed_caught_up_s: seconds };
}

function spoolOf({ folder }: BenchContext, name: string): Record<string, string> {
  return { UNDERSTUDY_SPOOL: path.join(folder, `spool-${name}`) };
}

function startLoad(context: BenchContext, { port, headers }: OwnContestant, measuredMs: number) {
  return startProgram<ClosedLoad, ClosedLoadSaid>(context, 'closed-load', {
    port,
    headers,
    connections: CONNECTIONS,
    subjects: 10_000,
    body: requestBody(330),
    warmUpMs: 0,
    measuredMs,
  });
}

/** So that the key is known before Postgres goes away. */
async function ask({ url, headers }: OwnContestant): Promise<void> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: requestBody(330),
  });
  if (!answer.ok) throw new Error(`the first request was answered ${answer.status}`);
  await answer.text();
}

async function metric({ url }: OwnContestant, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}
