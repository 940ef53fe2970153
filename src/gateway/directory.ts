import type { Logger } from 'pino';
import type { Db } from '../db/index.js';
import { errorDetail } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import type { Route } from '../routing/index.js';
import type { StateFolder } from '../state/index.js';
import { type DirectoryRows, openSavedDirectory } from './saved-directory.js';
import { secondArmOf } from './second-arm.js';

/** Where the requests for one version go. */
export interface Target {
  version: number;
  /** Base addresses with `/v1`, one a replica. */
  urls: readonly string[];
  /** The name the upstream knows it by. */
  model: string;
  /** Throws `missing_variable` when the policy refers to a variable that is not set. */
  apiKey: () => string | undefined;
  /** From the request to the last byte of the answer. */
  timeoutMs: number;
  /** How often it is asked again for what may pass, before its first byte. */
  retries: number;
  /** Why nobody may be sent there. */
  refused: 'version_rejected' | 'adapter_dropped' | null;
}

export interface KnownModel {
  name: string;
  createdAt: Date;
  targets: ReadonlyMap<number, Target>;
  /** How long a conversation stays on its version after a promotion. */
  stickyMs: number;
  /** Personal data is replaced before anything is stored. */
  redactsAtCapture: boolean;
  /** How long the feedback tokens of its answers are good for, in milliseconds; null: its answers carry none. */
  feedbackTokenMs: number | null;
}

/** Models, their versions and the kinds of live experiments, in memory, so that no request asks the database. */
export interface Directory {
  model(name: string): KnownModel | undefined;
  names(): readonly string[];
  secondArm(route: Route): 'challenger' | 'holdback';
  /** Reads again at once, if it lacks what a route refers to; gives up after a second and goes on with what is known. */
  ensure(route: Route, version: number): Promise<void>;
  /** Fills it: from what an earlier process left on disk, and from Postgres, for which it then waits no more than a second. */
  open(): Promise<void>;
  refresh(): Promise<void>;
  close(): void;
}

const REFUSED: Readonly<Record<string, Target['refused']>> = {
  rejected: 'version_rejected',
  dropped: 'adapter_dropped',
};

type ModelRow = DirectoryRows['models'][number];
type VersionRow = DirectoryRows['versions'][number];

const POLL_MS = 1_000;
const PATIENCE_MS = 1_000;

export type Secrets = (reference: string | null) => string | undefined;

/**
 * An empty directory that reads every second; call `open` to fill it.
 *
 * @param state where what it knows is kept for the next start
 */
export function openDirectory(
  db: Pick<Db, 'pool'>,
  secrets: Secrets,
  logger: Logger,
  state: StateFolder | undefined,
): Directory {
  const saved =
    state && openSavedDirectory(state, (why) => logger.warn({ file: 'directory', why }, 'a state file is not taken'));
  let models = new Map<string, KnownModel>();
  let kinds = new Map<string, string>();
  let reading: Promise<void> | undefined;
  /** Which rows are in force and which are on disk: most readings find nothing new. */
  let takenKey: string | undefined;
  let savedKey: string | undefined;
  let awaySince: number | undefined;
  const policies = new Map<string, { digest: string; policy: Policy | undefined }>();

  async function read(): Promise<void> {
    const [modelRows, versionRows, experimentRows] = await Promise.all([
      db.pool.query<Omit<ModelRow, 'created_at'> & { created_at: Date }>(
        'SELECT name, policy, policy_digest, created_at FROM models ORDER BY name',
      ),
      db.pool.query<VersionRow>(
        `SELECT model, version, kind, CASE WHEN adapter_dropped_at IS NULL THEN state ELSE 'dropped' END AS state, served_as
           FROM versions ORDER BY model, version`,
      ),
      db.pool.query<DirectoryRows['experiments'][number]>(
        'SELECT e.id, e.kind FROM experiments e JOIN routes r ON r.experiment_id = e.id ORDER BY e.id',
      ),
    ]);
    const rows = {
      models: modelRows.rows.map((row) => ({ ...row, created_at: row.created_at.toISOString() })),
      versions: versionRows.rows,
      experiments: experimentRows.rows,
    };
    awaySince = undefined;
    const key = JSON.stringify({
      ...rows,
      models: rows.models.map(({ name, policy_digest: digest }) => [name, digest]),
    });
    if (key !== takenKey) take(rows);
    takenKey = key;
    if (key === savedKey) return;
    savedKey = key;
    saved?.write(rows).catch((error: unknown) => {
      savedKey = undefined;
      logger.warn({ file: 'directory', detail: errorDetail(error) }, 'a state file cannot be written');
    });
  }

  function take(rows: DirectoryRows): void {
    const fresh = new Map<string, KnownModel>();
    for (const row of rows.models) {
      const policy = policyOf(row);
      if (policy === undefined) continue;
      const targets = rows.versions
        .filter(({ model }) => model === row.name)
        .map((version) => [version.version, targetOf(policy, version, secrets)] as const);
      const { capture, feedback } = policy;
      fresh.set(row.name, {
        name: row.name,
        createdAt: new Date(row.created_at),
        targets: new Map(targets),
        stickyMs: policy.promotion.session_stickiness,
        redactsAtCapture: capture.redact_at === 'capture',
        feedbackTokenMs: feedback.tokens ? feedback.token_lifetime : null,
      });
    }
    models = fresh;
    kinds = new Map(rows.experiments.map(({ id, kind }) => [id, kind]));
  }

  /** Parsed once for each digest. One that this program does not understand leaves the model with its last good policy. */
  function policyOf(row: ModelRow): Policy | undefined {
    const known = policies.get(row.name);
    if (known?.digest === row.policy_digest) return known.policy;
    let policy = known?.policy;
    try {
      policy = parsePolicy(row.policy);
    } catch (error) {
      logger.error({ model: row.name, err: error }, 'the stored policy is not valid for this program; apply it again');
    }
    policies.set(row.name, { digest: row.policy_digest, policy });
    return policy;
  }

  function refresh(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  const quietly = () =>
    refresh().catch((error: unknown) => {
      awaySince ??= performance.now();
      logger.debug({ detail: errorDetail(error) }, 'models and versions could not be read');
    });
  const timer = setInterval(() => void quietly(), POLL_MS);
  timer.unref();

  return {
    model: (name) => models.get(name),
    names: () => [...models.keys()],
    secondArm: (route) => secondArmOf(route, kinds),
    async ensure(route, version) {
      const complete = () =>
        models.get(route.model)?.targets.has(version) && (route.experimentId === null || kinds.has(route.experimentId));
      // While Postgres is away no request waits for it in vain.
      if (complete() || (awaySince !== undefined && performance.now() - awaySince > PATIENCE_MS)) return;
      // A reading under way may have started before what is missing was committed.
      await Promise.race([reading?.catch(() => undefined), patience()]);
      if (complete()) return;
      await Promise.race([quietly(), patience()]);
    },
    async open() {
      const pending = quietly();
      const rows = await saved?.read();
      if (rows === undefined) return pending;
      if (takenKey === undefined) take(rows);
      await Promise.race([pending, patience()]);
    },
    refresh,
    close: () => clearInterval(timer),
  };
}

function patience(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, PATIENCE_MS).unref();
  });
}

/** Version 1 and other bases answer at the policy's upstream, adapters on the adapter servers under their own name. */
function targetOf(policy: Policy, row: VersionRow, secrets: Secrets): Target {
  const { upstream, serving } = policy;
  const isAdapter = row.kind === 'adapter';
  return {
    version: row.version,
    urls: isAdapter ? serving.base_urls.map((url) => `${url}/v1`) : [upstream.base_url],
    model: row.kind === 'base' ? upstream.model : row.served_as,
    apiKey: () => secrets(isAdapter ? serving.api_key : upstream.api_key),
    timeoutMs: upstream.timeout,
    retries: upstream.retries,
    refused: REFUSED[row.state] ?? null,
  };
}
