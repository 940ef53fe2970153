import {
  applyBenchModel,
  type BenchContext,
  type BenchPostgres,
  benchKey,
  measure,
  type Sample,
  startServer,
} from '../harness/index.js';
import { createRecords, MODEL } from './records.js';
import { type Sent, sendInteractions } from './send-interactions.js';

/** Our server on a fresh database takes the interactions; afterwards as many are stored as there were different ones. */
export async function runOurs(
  context: BenchContext,
  postgres: BenchPostgres,
  load: { count: number; batch: number; connections: number },
): Promise<Sample> {
  const database = await postgres.freshDatabase();
  try {
    await applyBenchModel(database.db, MODEL);
    const key = await benchKey(database.db, 'ingest');
    const server = await startServer(context, { databaseUrl: database.url });
    const records = createRecords(hoursAgo(1));
    let sent: Sent | undefined;
    const sample = await measure({ server: [server.pid()], postgres: [postgres.pid()] }, async () => {
      sent = await sendInteractions({
        ...load,
        port: server.port,
        key,
        records,
        onProgress: (done) =>
          context.show(`understudy: ${done.toLocaleString('en')} of ${load.count.toLocaleString('en')}`),
      });
    });
    await server.stop();
    const { stored, p50_ms, p99_ms } = sent!;
    const { rows } = await database.db.pool.query<{ n: string }>('SELECT count(*) AS n FROM interactions');
    if (Number(rows[0]!.n) !== stored) throw new Error(`${stored} were acknowledged as stored, ${rows[0]!.n} are`);
    return { rows_per_s: load.count / sample.wall_s!, p50_ms, p99_ms, stored, ...sample };
  } finally {
    await database.drop();
  }
}

/** Within the month's partition, unless a month has just begun: then in the one before. */
export function hoursAgo(hours: number): Date {
  return new Date(Date.now() - hours * 3_600_000);
}
