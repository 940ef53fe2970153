import { environment, readCliConfig } from '../config.js';
import { assertMigrated } from '../db/index.js';
import { errorDetail, UnderstudyError } from '../errors.js';
import {
  connectTemporal,
  missingSearchAttributes,
  readTemporalConfig,
  searchAttributesCommand,
} from '../temporal/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

interface Check {
  check: string;
  ok: boolean;
  detail: string;
}

/** Checks what worker and server need; every check runs, whatever the others found. Exit code 1 when one failed. */
export async function doctor(options: { json?: boolean }): Promise<void> {
  const checks = [
    await run('subject key', async () => {
      readCliConfig().subjectKey();
      return 'set';
    }),
    await run('postgres', () =>
      withDb(async (db) =>
        `PostgreSQL ${(await db.pool.query<{ v: string }>("SELECT current_setting('server_version') AS v")).rows[0]?.v ?? ''}`.trim(),
      ),
    ),
    await run('schema', () =>
      withDb(async (db) => {
        await assertMigrated(db.pool);
        return 'current';
      }),
    ),
    ...(await temporalChecks()),
  ];
  show(options.json ?? false, { ok: checks.every(({ ok }) => ok), checks }, () =>
    table(
      ['check', '', 'detail'],
      checks.map(({ check, ok, detail }) => [check, ok ? 'ok' : 'FAILED', detail]),
    ),
  );
  if (!checks.every(({ ok }) => ok)) process.exitCode = 1;
}

async function temporalChecks(): Promise<Check[]> {
  const config = readTemporalConfig(environment());
  let connected = false;
  const reach = await run('temporal', async () => {
    const temporal = await connectTemporal(config, 3_000);
    await temporal.close();
    connected = true;
    return `${config.address}, namespace ${config.namespace}`;
  });
  if (!connected)
    return [reach, { check: 'search attributes', ok: false, detail: 'not checked: Temporal does not answer' }];
  const attributes = await run('search attributes', async () => {
    const temporal = await connectTemporal(config, 3_000);
    try {
      const missing = await missingSearchAttributes(temporal.connection, config.namespace);
      if (missing.length === 0) return 'registered';
      throw new UnderstudyError('search_attributes_missing', {
        names: missing.join(', '),
        command: searchAttributesCommand(config.namespace, missing),
      });
    } finally {
      await temporal.close();
    }
  });
  return [reach, attributes];
}

async function run(check: string, work: () => Promise<string>): Promise<Check> {
  try {
    return { check, ok: true, detail: await work() };
  } catch (error) {
    return { check, ok: false, detail: errorDetail(error) };
  }
}
