import { type Bench, interleave, measure, medians, startPostgres } from '../harness/index.js';
import { prismaVersion } from '../ingest/index.js';
import { readPeerRows, storeSource } from '../ingest/peer-rows.js';
import { runOurs } from '../ingest/run-ours.js';

const AT_ONCE = 16;

export const bench: Bench = {
  summary: 'interactions a second, one a request over HTTP, acknowledged after COMMIT',
  async run(context) {
    const count = context.quick ? 20_000 : 200_000;
    const peerCount = context.quick ? 4_000 : 40_000;
    const postgres = await startPostgres(context);
    const source = await storeSource(postgres, peerCount);
    const rows = await readPeerRows(source);
    await source.drop();

    const samples = await interleave(
      context.runs,
      {
        understudy: () => runOurs(context, postgres, { count, batch: 1, connections: 64 }),
        'prisma-create': async () => {
          const { db, drop } = await postgres.freshDatabase();
          try {
            context.show(`prisma-create: ${peerCount.toLocaleString('en')} rows`);
            let next = 0;
            const work = async () => {
              while (next < rows.length) await db.prisma.interaction.create({ data: rows[next++]! });
            };
            const sample = await measure({ postgres: [postgres.pid()] }, async () => {
              await Promise.all(Array.from({ length: AT_ONCE }, work));
            });
            return { rows_per_s: peerCount / sample.wall_s!, ...sample };
          } finally {
            await drop();
          }
        },
      },
      (name, run, { rows_per_s, wall_s }) =>
        context.say(
          `  run ${run + 1}  ${name.padEnd(14)} ${Math.round(rows_per_s!).toLocaleString('en').padStart(8)} rows/s  ${wall_s!.toFixed(1)} s`,
        ),
    );
    const { rows_per_s: ours = 0, ...figures } = medians(samples.understudy);
    const peer = medians(samples['prisma-create']).rows_per_s ?? 0;
    return {
      figures: { rows_per_s: ours, ...figures },
      ratios: { 'prisma-create': ours / peer },
      peers: { 'prisma-create': { version: prismaVersion(), figure: peer } },
      runs: context.runs,
      samples,
    };
  },
};
