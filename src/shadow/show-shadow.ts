import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { readShadows, type Shadow } from './shadow.js';

/** Latencies in milliseconds. Null: unknown, nothing was answered. */
interface Speed {
  p50_ms: number | null;
  p95_ms: number | null;
}

/** What a version answered as a shadow, beside what people got for the same requests. */
export interface ShadowReport {
  model: string;
  /** Null: there never was a shadow. */
  version: number | null;
  /** The shadow that is on now, instants in ISO 8601; null when this version is none any more. */
  running: { share: number; ends_at: string; actor: string; reason: string; started_at: string } | null;
  /** Copies asked of the version. */
  n: number;
  failed: number;
  shadow: Speed;
  /** Of the interactions with these copies that are stored. */
  answered: Speed & { n: number; failed: number };
}

/**
 * Compares a shadow with what people got, request by request; without a version the one that is on now, else the one that
 * was asked last. Nothing here is a test: nobody rated these answers. Throws `unknown_model`.
 */
export async function showShadow(
  db: Db,
  { model, version, asOf }: { model: string; version?: number | undefined; asOf: Date },
): Promise<ShadowReport> {
  if ((await db.prisma.model.count({ where: { name: model } })) === 0) {
    throw new UnderstudyError('unknown_model', { model });
  }
  const running = (await readShadows(db, asOf)).get(model);
  const shown = version ?? running?.version ?? (await lastVersion(db, model)) ?? null;
  const { rows } = await db.pool.query<Row>(REPORT, [model, shown]);
  const row = rows[0]!;
  return {
    model,
    version: shown,
    running: running !== undefined && running.version === shown ? viewOf(running) : null,
    n: row.n,
    failed: row.failed,
    shadow: { p50_ms: row.shadow_p50, p95_ms: row.shadow_p95 },
    answered: { n: row.seen, failed: row.seen_failed, p50_ms: row.seen_p50, p95_ms: row.seen_p95 },
  };
}

interface Row {
  n: number;
  failed: number;
  seen: number;
  seen_failed: number;
  shadow_p50: number | null;
  shadow_p95: number | null;
  seen_p50: number | null;
  seen_p95: number | null;
}

const percentile = (share: number, column: string, where: string) =>
  `percentile_cont(${share}) WITHIN GROUP (ORDER BY ${column}) FILTER (WHERE ${where})`;

const REPORT = `SELECT count(*)::int AS n,
    count(*) FILTER (WHERE s.status = 'failed')::int AS failed,
    count(i.id)::int AS seen,
    count(*) FILTER (WHERE i.status <> 'complete')::int AS seen_failed,
    ${percentile(0.5, 's.latency_ms', "s.status = 'complete'")} AS shadow_p50,
    ${percentile(0.95, 's.latency_ms', "s.status = 'complete'")} AS shadow_p95,
    ${percentile(0.5, 'i.latency_ms', "i.status = 'complete'")} AS seen_p50,
    ${percentile(0.95, 'i.latency_ms', "i.status = 'complete'")} AS seen_p95
  FROM shadow_answers s LEFT JOIN interactions i ON i.id = s.id
  WHERE s.model = $1 AND s.version = $2`;

async function lastVersion(db: Db, model: string): Promise<number | undefined> {
  const { rows } = await db.pool.query<{ version: number }>(
    'SELECT version FROM shadow_answers WHERE model = $1 ORDER BY id DESC LIMIT 1',
    [model],
  );
  return rows[0]?.version;
}

function viewOf({ share, endsAt, actor, reason, startedAt }: Shadow): NonNullable<ShadowReport['running']> {
  return { share, ends_at: endsAt.toISOString(), actor, reason, started_at: startedAt.toISOString() };
}
