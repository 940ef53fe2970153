import type { Db } from '../db/index.js';

/** Which interactions of a model; what is absent does not restrict. */
export interface ExportFilter {
  model: string;
  /** Asked at or after it. */
  from?: Date;
  /** Asked before it. */
  to?: Date;
  /** The version that answered. */
  version?: number;
  experiment?: string;
  arm?: string;
  status?: string;
}

const BATCH = 1_000;

const WHERE = `i.model = $1 AND ($2::timestamptz IS NULL OR i.asked_at >= $2) AND ($3::timestamptz IS NULL OR i.asked_at < $3)
  AND ($4::integer IS NULL OR i.version = $4) AND ($5::uuid IS NULL OR i.experiment_id = $5)
  AND ($6::text IS NULL OR i.arm = $6) AND ($7::text IS NULL OR i.status = $7)`;

/** Everything of `exportedRecord` but its feedback, without what is null. */
const RECORD = `json_strip_nulls(json_build_object('external_id', i.external_id, 'model', i.model, 'subject', i.subject,
  'session', i.session)) AS head, i.asked_at, i.request, i.response,
  json_strip_nulls(json_build_object('version', i.version, 'latency_ms', i.latency_ms, 'experiment', i.experiment_id, 'arm', i.arm,
  'assigned_version', i.assigned_version, 'status', i.status, 'digest', encode(i.digest, 'hex'))) AS tail, i.tags, i.id`;

const FEEDBACK = `SELECT interaction_id, id, kind, body, choice_index, source, given_at, retracted_at IS NOT NULL AS retracted,
    encode(digest, 'hex') AS digest
  FROM feedback WHERE interaction_id = ANY($1::uuid[]) ORDER BY received_at, id`;

/** An interaction as it is exported, see `exportedRecord`. */
export type Exported = Record<string, unknown> & { id: string; timestamp: string };

/**
 * The interactions of a model with their feedback (also what was taken back, marked so), oldest first, in batches, as they
 * were at one instant. Memory does not grow with their number: a cursor reads them.
 *
 * @param onTotal is told first how many there will be
 */
export async function* readForExport(
  db: Pick<Db, 'pool'>,
  filter: ExportFilter,
  onTotal: (total: number) => void,
): AsyncGenerator<Exported[], void> {
  const values = [
    filter.model,
    filter.from ?? null,
    filter.to ?? null,
    filter.version ?? null,
    filter.experiment ?? null,
    filter.arm ?? null,
    filter.status ?? null,
  ];
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const counted = await client.query<{ n: string }>(
      `SELECT count(*) AS n FROM interactions i WHERE ${WHERE}`,
      values,
    );
    onTotal(Number(counted.rows[0]?.n ?? 0));
    await client.query(
      `DECLARE exported NO SCROLL CURSOR FOR SELECT ${RECORD} FROM interactions i WHERE ${WHERE} ORDER BY i.asked_at, i.id`,
      values,
    );
    for (;;) {
      const { rows } = await client.query<InteractionRow>(`FETCH ${BATCH} FROM exported`);
      if (rows.length === 0) return;
      const feedback = await client.query<FeedbackRow>(FEEDBACK, [rows.map(({ id }) => id)]);
      const about = new Map<string, FeedbackRow[]>(rows.map(({ id }) => [id, []]));
      for (const row of feedback.rows) about.get(row.interaction_id)?.push(row);
      yield rows.map((row) => exported(row, about.get(row.id) ?? []));
    }
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    // Whoever stops early leaves a transaction open.
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    client.release(broken);
  }
}

interface InteractionRow {
  id: string;
  asked_at: Date;
  head: Record<string, unknown>;
  request: unknown;
  response: unknown;
  tail: Record<string, unknown>;
  tags: Record<string, string>;
}

interface FeedbackRow {
  interaction_id: string;
  id: string;
  kind: string;
  body: Record<string, unknown>;
  choice_index: number;
  source: string;
  given_at: Date;
  retracted: boolean;
  digest: string;
}

function exported(row: InteractionRow, feedback: readonly FeedbackRow[]): Exported {
  const { id, asked_at, head, request, response, tail, tags } = row;
  return {
    id,
    timestamp: asked_at.toISOString(),
    ...head,
    request,
    ...(response === null ? {} : { response }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    ...(feedback.length === 0 ? {} : { feedback: feedback.map(exportedFeedback) }),
    ...tail,
  };
}

function exportedFeedback(row: FeedbackRow): Record<string, unknown> {
  return {
    id: row.id,
    kind: row.kind,
    ...row.body,
    ...(row.choice_index === 0 ? {} : { choice_index: row.choice_index }),
    source: row.source,
    timestamp: row.given_at.toISOString(),
    ...(row.retracted ? { retracted: true } : {}),
    digest: row.digest,
  };
}
