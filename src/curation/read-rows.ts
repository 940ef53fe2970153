import type { Db } from '../db/index.js';
import { noRedactions } from '../redaction/index.js';
import type { GivenFeedback } from './given-feedback.js';
import type { Row } from './row.js';

const PAGE = 500;

export interface CollectionWindow {
  model: string;
  /** Interactions asked after this … */
  from: Date;
  /** … and up to this; feedback received up to this. The clock of the workflow. */
  asOf: Date;
}

interface StoredRow {
  id: string;
  at: string;
  asked_at: Date;
  subject: string | null;
  version: number | null;
  request: unknown;
  response: unknown;
  feedback: GivenFeedback[] | null;
  latest: string | null;
}

/**
 * All complete interactions of the window that a registered version has not yet learned with the same latest feedback,
 * newest first. Pages by key, so that memory stays flat. `bodies: false` leaves request and response out.
 */
export async function* readRows(db: Db, window: CollectionWindow, options: { bodies: boolean }): AsyncGenerator<Row> {
  const sql = pageSql(options.bodies);
  // As text: a Date would cut the cursor to milliseconds, and rows between two of them would come again or never.
  let cursor = { at: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
  for (;;) {
    const { rows } = await db.pool.query<StoredRow>(sql, [
      window.model,
      window.from,
      window.asOf,
      cursor.at,
      cursor.id,
      PAGE,
    ]);
    for (const row of rows) yield asRow(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    cursor = { at: last.at, id: last.id };
  }
}

/** Feedback counts for the first choice only: several choices are not trained on. */
function pageSql(bodies: boolean): string {
  return `
    SELECT i.id, i.asked_at::text AS at, i.asked_at, i.subject, i.version, ${bodies ? 'i.request, i.response' : 'NULL AS request, NULL AS response'},
           f.feedback, f.latest
      FROM interactions i
      LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('id', g.id, 'kind', g.kind, 'body', g.body) ORDER BY g.received_at, g.id) AS feedback,
               (array_agg(g.id ORDER BY g.received_at DESC, g.id DESC))[1] AS latest
          FROM feedback g
         WHERE g.interaction_id = i.id AND g.choice_index = 0 AND g.received_at <= $3
           AND (g.retracted_at IS NULL OR g.retracted_at > $3)
      ) f ON true
     WHERE i.model = $1 AND i.asked_at > $2 AND i.asked_at <= $3 AND i.status = 'complete'
       AND i.asked_at <= $4::timestamptz AND (i.asked_at, i.id) < ($4::timestamptz, $5::uuid)
       AND NOT EXISTS (
         SELECT 1 FROM dataset_rows r JOIN versions v ON v.dataset_id = r.dataset_id
          WHERE r.interaction_id = i.id AND r.kept AND r.feedback_id IS NOT DISTINCT FROM f.latest)
     ORDER BY i.asked_at DESC, i.id DESC
     LIMIT $6`;
}

function asRow(stored: StoredRow): Row {
  return {
    interactionId: stored.id,
    askedAt: stored.asked_at,
    subject: stored.subject,
    version: stored.version,
    request: stored.request,
    response: stored.response,
    feedback: stored.feedback ?? [],
    latestFeedbackId: stored.latest,
    messages: [],
    answer: '',
    corrected: false,
    comments: [],
    redactions: noRedactions(),
  };
}
