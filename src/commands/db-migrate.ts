import { readCliConfig } from '../config.js';
import { migrate } from '../db/index.js';
import { show } from './output.js';

/** Applies the missing migrations and names them. */
export async function dbMigrate(options: { json?: boolean }): Promise<void> {
  const result = await migrate(readCliConfig().databaseUrl());
  show(options.json ?? false, result, () =>
    result.applied.length === 0
      ? `Nothing to do: ${result.total} migrations are applied.`
      : `Applied ${result.applied.join(', ')}.`,
  );
}
