import pg from 'pg';
import type { Verdict } from '../curation/index.js';
import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import type { Manifest } from './manifest.js';
import type { Split } from './split.js';

const BATCH = 1_000;

/**
 * The rows of one dataset, written in one transaction that holds the dataset's lock: of two attempts at once the second
 * waits and then finds what the first has frozen. Nothing is there until `commit`; `end` takes back what was not committed.
 */
export class DatasetRows {
  readonly #client: pg.Client;
  readonly #datasetId: string;
  #waiting: { verdict: Verdict; split: Split | null }[] = [];

  private constructor(client: pg.Client, datasetId: string) {
    this.#client = client;
    this.#datasetId = datasetId;
  }

  static async begin(db: Db, datasetId: string): Promise<DatasetRows> {
    // A connection of its own: the transaction is long, and its reader needs one of the pool beside it.
    const client = new pg.Client({
      connectionString: db.url,
      application_name: 'understudy-datasets',
      keepAlive: true,
    });
    client.on('error', () => undefined);
    const rows = new DatasetRows(client, datasetId);
    try {
      await client.connect();
      await rows.#client.query('BEGIN');
      const { rowCount } = await rows.#client.query('SELECT 1 FROM datasets WHERE id = $1 FOR UPDATE', [datasetId]);
      if (rowCount === 0) throw new UnderstudyError('not_found', { what: `Dataset ${datasetId}` });
      await rows.#client.query(
        'DELETE FROM dataset_rows WHERE dataset_id = $1 AND NOT EXISTS (SELECT 1 FROM datasets WHERE id = $1 AND digest IS NOT NULL)',
        [datasetId],
      );
      return rows;
    } catch (error) {
      await rows.end();
      throw error;
    }
  }

  /** What an earlier attempt has frozen. */
  async stored(): Promise<{ digest: string; manifest: Manifest } | undefined> {
    const { rows } = await this.#client.query<{ digest: string; manifest: Manifest }>(
      'SELECT digest, manifest FROM datasets WHERE id = $1 AND digest IS NOT NULL',
      [this.#datasetId],
    );
    return rows[0];
  }

  async add(verdict: Verdict, split: Split | null): Promise<void> {
    this.#waiting.push({ verdict, split });
    if (this.#waiting.length >= BATCH) await this.#flush();
  }

  /** Every interaction that was considered has exactly one row: kept, or left out with a reason. Counted by Postgres, not by us. */
  async check(manifest: Manifest): Promise<void> {
    await this.#flush();
    const { rows } = await this.#client.query<{
      considered: number;
      kept: number;
      train: number;
      reasons: Record<string, number> | null;
    }>(
      `SELECT count(*)::int AS considered, count(*) FILTER (WHERE kept)::int AS kept, count(*) FILTER (WHERE split = 'train')::int AS train,
              (SELECT jsonb_object_agg(reason, n) FROM (SELECT reason, count(*) AS n FROM dataset_rows WHERE dataset_id = $1 AND NOT kept GROUP BY reason) r) AS reasons
         FROM dataset_rows WHERE dataset_id = $1`,
      [this.#datasetId],
    );
    const counted = rows[0]!;
    const leftOut = Object.values(manifest.left_out).reduce((sum, n) => sum + n, 0);
    const sameReasons = Object.entries(manifest.left_out).every(([reason, n]) => counted.reasons?.[reason] === n);
    const right =
      counted.considered === manifest.considered &&
      counted.kept === manifest.kept &&
      counted.train === manifest.train &&
      manifest.considered === manifest.kept + leftOut &&
      sameReasons;
    if (!right) throw new Error(`dataset ${this.#datasetId} does not add up: ${JSON.stringify({ counted, manifest })}`);
  }

  async commit(frozen: {
    uri: string;
    digest: string;
    manifest: Manifest;
    state: 'frozen' | 'orphaned';
  }): Promise<void> {
    const { uri, digest, manifest, state } = frozen;
    await this.#client.query(
      `UPDATE datasets SET digest = $2, uri = $3, manifest = $4, state = $5, considered = $6, kept = $7, train = $8, validation = $9, left_out = $10 WHERE id = $1`,
      [
        this.#datasetId,
        digest,
        uri,
        manifest,
        state,
        manifest.considered,
        manifest.kept,
        manifest.train,
        manifest.validation,
        manifest.left_out,
      ],
    );
    await this.#client.query('COMMIT');
  }

  /** Closing the connection takes back what was not committed. */
  async end(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  async #flush(): Promise<void> {
    const rows = this.#waiting;
    if (rows.length === 0) return;
    this.#waiting = [];
    await this.#client.query(
      `INSERT INTO dataset_rows (dataset_id, interaction_id, feedback_id, subject, kept, step, reason, split)
       SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[])`,
      [
        this.#datasetId,
        rows.map(({ verdict }) => verdict.row.interactionId),
        rows.map(({ verdict }) => verdict.row.latestFeedbackId),
        rows.map(({ verdict }) => verdict.row.subject),
        rows.map(({ verdict }) => verdict.kept),
        rows.map(({ verdict }) => (verdict.kept ? 'kept' : verdict.step)),
        rows.map(({ verdict }) => (verdict.kept ? null : verdict.reason)),
        rows.map(({ split }) => split),
      ],
    );
  }
}
