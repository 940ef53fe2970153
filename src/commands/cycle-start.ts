import { readCliConfig } from '../config.js';
import { UnderstudyError } from '../errors.js';
import { applyOverrides, modelName } from '../policy/index.js';
import { readRoute } from '../routing/index.js';
import { startCycle } from '../temporal/index.js';
import { show } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';
import { withTemporal } from './with-temporal.js';

/** Starts the cycle of a model; `already_running` when there is one, `overrides_refused` for what may not be overridden. */
export async function cycleStart(
  model: string,
  options: { overrides?: string; candidate?: string; json?: boolean },
): Promise<void> {
  if (!modelName.safeParse(model).success) throw new UnderstudyError('unknown_model', { model });
  const overrides = parseOverrides(options.overrides);
  const candidate = options.candidate === undefined ? undefined : wholeNumber('--candidate', options.candidate);
  // The cycle checks them, too, but nobody would look at its failure.
  applyOverrides({}, overrides);
  // Where the database is known, a wrong name is found out now; elsewhere the cycle says it.
  if (readCliConfig().databaseUrlIfSet !== undefined) await withDb((db) => readRoute(db, model));
  const started = await withTemporal((client) =>
    startCycle(client, { model, trigger: 'cli', ...(overrides && { overrides }), ...(candidate && { candidate }) }),
  );
  show(options.json ?? false, started, () =>
    [
      `Started ${started.workflowId} (run ${started.runId}).`,
      `Watch it: understudy cycle status ${model} --watch`,
    ].join('\n'),
  );
}

function parseOverrides(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through to the one message for both.
  }
  throw new UnderstudyError('invalid_option', {
    option: '--overrides',
    detail: 'must be a JSON object, such as {"trainer":{"epochs":3}}',
  });
}
