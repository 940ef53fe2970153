import { errorDetail } from '../errors.js';
import type { Reconciliation } from './reconcile.js';

/** What is needed of a logger; pino's shape. */
interface TroubleLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/**
 * Logs what reconciling could not do: each trouble once when it begins, and once when it is over. A pass comes every few
 * seconds, and a replica that is away for a night would fill the log.
 */
export function reportTroubles(logger: TroubleLogger): (done: Reconciliation) => void {
  let known = new Map<string, { url: string; adapter: string | null; detail: string }>();
  return ({ failed }) => {
    const troubles = failed.map(({ url, servedAs, error }) => ({ url, adapter: servedAs, detail: errorDetail(error) }));
    const now = new Map(troubles.map((trouble) => [JSON.stringify(trouble), trouble]));
    for (const [key, trouble] of now) if (!known.has(key)) logger.warn(trouble, 'adapters not as the routes need them');
    for (const [key, trouble] of known) if (!now.has(key)) logger.info(trouble, 'no longer: adapters not as needed');
    known = now;
  };
}
