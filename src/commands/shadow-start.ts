import { createLocalStore } from '../artifacts/index.js';
import { readCliConfig, readSecret } from '../config.js';
import { UnderstudyError } from '../errors.js';
import { duration } from '../policy/index.js';
import { loadVersion } from '../serving/index.js';
import { startShadow } from '../shadow/index.js';
import { show } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

interface Options {
  version: string;
  share: string;
  for: string;
  reason: string;
  actor: string;
  json?: boolean;
}

/** Lets a version answer copies of a share of a model's requests for a while. */
export async function shadowStart(model: string, options: Options): Promise<void> {
  const version = wholeNumber('--version', options.version);
  const share = Number(options.share);
  if (!(share > 0 && share <= 1)) {
    throw new UnderstudyError('invalid_option', { option: '--share', detail: 'must be above 0 and at most 1' });
  }
  const length = duration.safeParse(options.for);
  if (!length.success || length.data < 1_000) {
    throw new UnderstudyError('invalid_option', { option: '--for', detail: 'must be a duration, such as "24h"' });
  }
  const store = createLocalStore(readCliConfig().artifacts);
  const { actor, reason } = options;
  const started = await withDb((db) =>
    startShadow(
      { db, loadVersion: (name, number) => loadVersion(db, store, readSecret, { model: name, version: number }) },
      { model, version, share, endsAt: new Date(Date.now() + length.data), actor, reason },
    ),
  );
  const ends = started.endsAt.toISOString();
  show(
    options.json ?? false,
    { model, version, share, ends_at: ends, actor, reason },
    () =>
      `${model}: version ${version} answers copies of ${Math.round(share * 1000) / 10} % of the requests until ${ends}.`,
  );
}
