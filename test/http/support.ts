import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type BudgetLimits, createKey } from '../../src/access/index.js';
import { createDb, type Db } from '../../src/db/index.js';
import { UnderstudyError } from '../../src/errors.js';
import type { CaptureLimits, SpoolOptions } from '../../src/gateway/index.js';
import { createServer, type Operations } from '../../src/http/index.js';
import { hashSubject } from '../../src/interactions/index.js';
import { digestOf, parsePolicy } from '../../src/policy/index.js';
import { changeRoute, followRoutes, isInSecondArm, type RouteFollower, readRoute } from '../../src/routing/index.js';
import { startShadow } from '../../src/shadow/index.js';
import type { StateFolder } from '../../src/state/index.js';
import { createLogger, type Tracing } from '../../src/telemetry/index.js';
import { createTestDatabase } from '../support/database.js';
import { type StubUpstream, startStubUpstream } from '../support/stub-upstream.js';

export const SUBJECT_KEY = 'subject-key-of-the-tests';

/** What a cycle answers that takes a message. */
export const TAKEN = { status: 'taken', note: 'It will.' } as const;

export interface TestServer {
  /** `http://127.0.0.1:40123`. */
  url: string;
  app: FastifyInstance;
  /** Of the test: not through whatever stands between server and Postgres. */
  db: Db;
  routes: RouteFollower;
  upstream: StubUpstream;
  /** What was asked of the injected operations; replace `answer` to let them fail. */
  rollBack: { calls: unknown[]; answer: Operations['rollBack'] };
  promote: { calls: unknown[]; answer: Operations['promote'] };
  extend: { calls: unknown[]; answer: Operations['extend'] };
  resume: { calls: unknown[]; answer: Operations['resume'] };
  /** Everything that was logged, at the lowest level. */
  log: string[];
  /** A key of these scopes. */
  key(scopes: string | string[], model?: string | null, limits?: Partial<BudgetLimits>): Promise<string>;
  request(
    path: string,
    options?: { method?: string; key?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Response>;
  close(): Promise<void>;
}

export interface TestServerOptions {
  captureLimits?: Partial<CaptureLimits>;
  spool?: SpoolOptions;
  feedbackOrigins?: readonly string[];
  arrivalTimeoutMs?: number;
  /** Address of the database as the server sees it, from the one the test sees. */
  through?: (databaseUrl: string) => string;
  clock?: () => number;
  maxInFlight?: number;
  /** Where it keeps what it needs for a start while Postgres is away. */
  state?: StateFolder;
  /** Registers as a gateway under this name. */
  gateway?: string;
  /** Spans of the calls; closed by the test. */
  tracing?: Tracing;
}

/** A whole server on a free port, with a database and an upstream of its own. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const database = await createTestDatabase();
  const db = createDb(database.url, { max: 4 });
  const serverDb = createDb(options.through?.(database.url) ?? database.url, { max: 8 });
  const upstream = await startStubUpstream();
  const routes = await followRoutes(serverDb, {
    pollMs: 200,
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.state ? { saved: { state: options.state } } : {}),
    ...(options.gateway ? { gateway: options.gateway } : {}),
  });
  const log: string[] = [];
  const rollBack: TestServer['rollBack'] = {
    calls: [],
    answer: async () => ({ epoch: 2, fromVersion: 2, toVersion: 1 }),
  };
  const promote: TestServer['promote'] = { calls: [], answer: async () => TAKEN };
  const extend: TestServer['extend'] = { calls: [], answer: async () => TAKEN };
  const resume: TestServer['resume'] = { calls: [], answer: async () => TAKEN };
  const app = createServer({
    db: serverDb,
    subjectKey: SUBJECT_KEY,
    routes,
    operations: {
      startShadow: (shadow) => startShadow({ db: serverDb, loadVersion: async () => {} }, shadow),
      rollBack(input) {
        rollBack.calls.push(input);
        return rollBack.answer(input);
      },
      promote(input) {
        promote.calls.push(input);
        return promote.answer(input);
      },
      extend(input) {
        extend.calls.push(input);
        return extend.answer(input);
      },
      resume(input) {
        resume.calls.push(input);
        return resume.answer(input);
      },
    },
    secrets(reference) {
      if (reference === `\${MISSING}`)
        throw new UnderstudyError('missing_variable', { name: 'MISSING', purpose: 'test' });
      return reference === null ? undefined : `secret of ${reference}`;
    },
    logger: createLogger('server', 'trace', { write: (line: string) => void log.push(line) }),
    ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
    ...(options.spool ? { spool: options.spool } : {}),
    ...(options.feedbackOrigins ? { feedbackOrigins: options.feedbackOrigins } : {}),
    ...(options.state ? { state: options.state } : {}),
    ...(options.tracing ? { tracing: options.tracing } : {}),
    ...(options.arrivalTimeoutMs ? { arrivalTimeoutMs: options.arrivalTimeoutMs } : {}),
    ...(options.captureLimits ? { captureLimits: options.captureLimits } : {}),
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    url,
    app,
    db,
    routes,
    upstream,
    rollBack,
    promote,
    extend,
    resume,
    log,
    key: async (scopes, model = null, limits = {}) =>
      (await createKey(db, { name: 'test', scopes: [scopes].flat(), model, ...limits })).key,
    request: (path, { method, key, body, headers } = {}) =>
      fetch(url + path, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    async close() {
      await app.close();
      await routes.close();
      await serverDb.close();
      await db.close();
      await upstream.close();
      await database.drop();
    },
  };
}

/** A model whose version 1 is the stub's `base`, and whose adapters the stub serves too; version 1 is champion. */
export async function seedModel(
  { db, upstream, routes }: Pick<TestServer, 'db' | 'upstream' | 'routes'>,
  name: string,
  policy: Record<string, unknown> = {},
): Promise<void> {
  const document = {
    name,
    base_model: 'tiny',
    sandbox: true,
    upstream: { base_url: `${upstream.url}/v1`, model: 'base', api_key: `\${UPSTREAM_KEY}`, timeout: '1s' },
    serving: { base_urls: [upstream.url] },
    ...policy,
  };
  const data = { name, policy: document, policyDigest: digestOf(parsePolicy(document)), sandbox: true };
  await db.prisma.model.create({ data });
  await seedVersion(db, name, 1, 'base');
  await changeRoute(db, {
    model: name,
    expectedEpoch: 0,
    next: { champion: 1, previous: null, challenger: null, share: null, experimentId: null },
    action: 'create',
    actor: 'test',
    reason: 'created',
    evidence: {},
  });
  await routes.refresh();
}

export async function seedVersion(
  db: Db,
  model: string,
  version: number,
  kind: 'base' | 'adapter' = 'adapter',
  state = 'candidate',
) {
  await db.prisma.version.create({
    data: {
      model,
      version,
      label: `v${version}`,
      kind,
      state,
      servedAs: kind === 'base' ? 'base' : `${model}-v${version}`,
      baseModel: 'tiny',
      ...(kind === 'adapter' ? { adapterUri: 'artifact:x', adapterSha256: 'a'.repeat(64), adapterRank: 8 } : {}),
      sandbox: true,
    },
  });
}

/** Starts an experiment of the champion against version 2 on the route; answers its id. */
export async function seedExperiment(
  { db, routes }: Pick<TestServer, 'db' | 'routes'>,
  model: string,
  { share = 0.5, kind = 'ab' as 'ab' | 'bake', challenger = 2 } = {},
): Promise<string> {
  const route = await readRoute(db, model);
  const [cycleId, id] = [randomUUID(), randomUUID()];
  const startedAt = new Date();
  await db.prisma.cycle.create({
    data: {
      id: cycleId,
      model,
      workflowId: `retraining-cycle-${model}`,
      runId: randomUUID(),
      originalRunId: randomUUID(),
      trigger: 'manual',
      phase: kind === 'ab' ? 'experimenting' : 'baking',
      policy: {},
      policyDigest: 'd'.repeat(64),
      sandbox: true,
      startedAt,
    },
  });
  const later = (ms: number) => new Date(startedAt.getTime() + ms);
  await db.prisma.experiment.create({
    data: {
      id,
      model,
      cycleId,
      kind,
      champion: route.champion,
      challenger,
      share,
      settings: {},
      policyDigest: 'd'.repeat(64),
      sandbox: true,
      p0: 0.5,
      d0: 1,
      i0: 1,
      startedAt,
      minEndsAt: later(1_000),
      maxEndsAt: later(2_000),
    },
  });
  await changeRoute(db, {
    model,
    expectedEpoch: route.epoch,
    next: { champion: route.champion, previous: route.previous, challenger, share, experimentId: id },
    action: 'start_experiment',
    actor: 'test',
    reason: 'experiment',
    evidence: {},
    cycleId,
  });
  await routes.refresh();
  return id;
}

/** A subject, in clear, of the arm asked for. */
export function subjectIn(experiment: string, second: boolean, share = 0.5): string {
  for (let n = 0; ; n++) {
    if (isInSecondArm(experiment, hashSubject(SUBJECT_KEY, `customer-${n}`), share) === second) return `customer-${n}`;
  }
}

/** Waits until `check` answers something; fails with what it last threw. */
export async function eventually<T>(check: () => Promise<T>, limitMs = 15_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
