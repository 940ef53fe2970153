import { Prisma } from '../../src/db/index.js';
import { storeInteractions } from '../../src/interactions/index.js';
import { applyBenchModel, type BenchDatabase, type BenchPostgres } from '../harness/index.js';
import { createRecords, MODEL } from './records.js';
import { hoursAgo } from './run-ours.js';

/** A row of `interactions` as the typed client writes it. */
export type PeerRow = Prisma.InteractionCreateManyInput;

const BATCH = 1_000;

/**
 * The first `count` records as our own code stores them, in a database of their own: the peers write the very same rows,
 * without having had to parse, check, hash or digest anything.
 */
export async function storeSource(postgres: BenchPostgres, count: number): Promise<BenchDatabase> {
  const source = await postgres.freshDatabase();
  await applyBenchModel(source.db, MODEL);
  const records = createRecords(hoursAgo(1));
  for (let from = 0; from < count; from += BATCH) {
    const items = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => records.value(from + index));
    await storeInteractions(source.db, 'the subject key of the benches', items);
  }
  return source;
}

/** The rows of the source for the typed client, in the order in which they came. */
export async function readPeerRows(source: BenchDatabase): Promise<PeerRow[]> {
  const rows = await source.db.prisma.interaction.findMany({ orderBy: { id: 'asc' } });
  return rows.map(({ response, ...row }) => ({
    ...row,
    request: row.request as Prisma.InputJsonObject,
    response: response === null ? Prisma.DbNull : (response as Prisma.InputJsonObject),
    tags: row.tags as Prisma.InputJsonObject,
  }));
}
