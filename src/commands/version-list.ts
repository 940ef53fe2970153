import { listVersions } from '../registry/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** The versions of a model. */
export async function versionList(model: string, options: { json?: boolean }): Promise<void> {
  const versions = await withDb((db) => listVersions(db, model));
  show(options.json ?? false, versions, () =>
    table(
      ['version', 'label', 'role', 'state', 'kind', 'base', 'created'],
      versions.map((row) => [
        row.version,
        row.label,
        row.role,
        row.adapter_dropped_at === null ? row.state : `${row.state}, adapter dropped`,
        row.kind,
        row.base_model,
        row.created_at,
      ]),
    ),
  );
}
