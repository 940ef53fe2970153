import { createKey } from '../access/index.js';
import { show } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

/** Makes a key. It is shown this once; only its hash is stored. */
export async function keyCreate(options: {
  scope: string[];
  model?: string;
  name: string;
  requestsPerMinute?: string;
  tokensPerDay?: string;
  json?: boolean;
}): Promise<void> {
  const scopes = options.scope.flatMap((list) => list.split(',')).filter((scope) => scope !== '');
  const model = options.model ?? null;
  const requestsPerMinute = limit('requests-per-minute', options.requestsPerMinute);
  const tokensPerDay = limit('tokens-per-day', options.tokensPerDay);
  const { id, key } = await withDb((db) =>
    createKey(db, { name: options.name, scopes, model, requestsPerMinute, tokensPerDay }),
  );
  show(
    options.json ?? false,
    { id, key, scopes, model, requests_per_minute: requestsPerMinute, tokens_per_day: tokensPerDay },
    () => key,
  );
}

function limit(option: string, text: string | undefined): number | null {
  return text === undefined ? null : wholeNumber(option, text);
}
