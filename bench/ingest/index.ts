import { createRequire } from 'node:module';
import path from 'node:path';
import { type Bench, interleave, measure, medians, startPostgres } from '../harness/index.js';
import { openCopy } from './copy.js';
import { readPeerRows, storeSource } from './peer-rows.js';
import { runOurs } from './run-ours.js';

const CREATE_MANY = 1_000;
const COLUMNS =
  '(id, model, external_id, asked_at, received_at, subject, session, experiment_id, arm, assigned_version, version, status, request, response, latency_ms, prompt_tokens, completion_tokens, tags, digest)';

export const bench: Bench = {
  summary: 'interactions a second in batches over HTTP, acknowledged after COMMIT',
  async run(context) {
    const count = context.quick ? 50_000 : 1_000_000;
    const peerCount = context.quick ? 10_000 : 100_000;
    const postgres = await startPostgres(context);
    const copy = await openCopy(context);
    context.say(`The peers' ${peerCount.toLocaleString('en')} rows are made by our own code first.`);
    const source = await storeSource(postgres, peerCount);
    const rows = await readPeerRows(source);
    const file = path.join(context.folder, 'interactions.copy');
    await copy.toFile(source.url, `(SELECT ${COLUMNS.slice(1, -1)} FROM interactions ORDER BY id)`, file);
    await source.drop();

    const peer = async (
      name: string,
      work: (database: Awaited<ReturnType<typeof postgres.freshDatabase>>) => Promise<void>,
    ) => {
      const database = await postgres.freshDatabase();
      try {
        context.show(`${name}: ${peerCount.toLocaleString('en')} rows`);
        const sample = await measure({ postgres: [postgres.pid()] }, () => work(database));
        const found = await database.db.prisma.interaction.count();
        if (found !== peerCount) throw new Error(`${name}: ${peerCount} rows were written, ${found} are there`);
        return { rows_per_s: peerCount / sample.wall_s!, ...sample };
      } finally {
        await database.drop();
      }
    };
    const samples = await interleave(
      context.runs,
      {
        understudy: () => runOurs(context, postgres, { count, batch: 100, connections: 8 }),
        'prisma-create-many': () =>
          peer('prisma-create-many', async ({ db }) => {
            for (let from = 0; from < rows.length; from += CREATE_MANY) {
              await db.prisma.interaction.createMany({ data: rows.slice(from, from + CREATE_MANY) });
            }
          }),
        'psql-copy': () => peer('psql-copy', ({ url }) => copy.fromFile(url, `interactions ${COLUMNS}`, file)),
      },
      (name, run, { rows_per_s, wall_s }) =>
        context.say(
          `  run ${run + 1}  ${name.padEnd(20)} ${Math.round(rows_per_s!).toLocaleString('en').padStart(8)} rows/s  ${wall_s!.toFixed(1)} s`,
        ),
    );

    const { rows_per_s: ours = 0, ...figures } = medians(samples.understudy);
    const figure = (name: keyof typeof samples) => medians(samples[name]).rows_per_s ?? 0;
    return {
      figures: { rows_per_s: ours, ...figures },
      ratios: {
        'prisma-create-many': ours / figure('prisma-create-many'),
        'psql-copy': ours / figure('psql-copy'),
      },
      peers: {
        'prisma-create-many': { version: prismaVersion(), figure: figure('prisma-create-many') },
        'psql-copy': { version: copy.version, figure: figure('psql-copy') },
      },
      runs: context.runs,
      samples,
    };
  },
};

export function prismaVersion(): string {
  const { version } = createRequire(import.meta.url)('@prisma/client/package.json') as { version: string };
  return `@prisma/client ${version}`;
}
