import { createLocalStore } from '../artifacts/index.js';
import { readCliConfig } from '../config.js';
import { type Pruned, pruneAdapters } from '../retention/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** Drops the adapters that the policy's retention lets go, or shows them. Exit code 1 when something could not be done. */
export async function versionPrune(
  model: string | undefined,
  options: { dryRun?: boolean; actor: string; json?: boolean },
): Promise<void> {
  const store = createLocalStore(readCliConfig().artifacts);
  const request = { model, dryRun: options.dryRun ?? false, actor: options.actor, asOf: new Date() };
  const done = await withDb((db) => pruneAdapters(db, store, request));
  if (done.failed.length > 0) process.exitCode = 1;
  show(options.json ?? false, done, () => describe(done).join('\n'));
}

const FILES = {
  removed: 'files deleted',
  kept: 'files would be deleted',
  absent: 'its files were not there',
  shared: 'files stay: another version has the same',
  training: 'files stay until a job on this base has ended',
  failed: 'files could not be deleted',
} as const;

function describe({ dry_run, dropped, kept, swept, failed }: Pruned): string[] {
  const verb = dry_run ? 'would be dropped' : 'dropped';
  return [
    `${dropped.length} ${dropped.length === 1 ? 'adapter' : 'adapters'} ${verb}, ${kept.length} kept.`,
    ...dropped.map(
      ({ model, version, label, last_used, bytes, files }) =>
        `${model}@${version} (${label}): ${verb}, last used ${last_used}, ${megabytes(bytes)}; ${FILES[files]}`,
    ),
    ...(kept.length === 0
      ? []
      : [
          table(
            ['kept', 'label', 'why'],
            kept.map((row) => [`${row.model}@${row.version}`, row.label, row.why]),
          ),
        ]),
    ...swept.map((uri) => `${uri}: deleted, dropped earlier`),
    ...failed.map(
      ({ model, version, detail }) => `${model}${version === null ? '' : `@${version}`}: FAILED, ${detail}`,
    ),
  ];
}

function megabytes(bytes: number | null): string {
  return bytes === null ? 'not in the store' : `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;
}
