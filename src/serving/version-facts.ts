import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import type { ChatEndpoint } from './ask-chat.js';

export type VersionRow = NonNullable<Awaited<ReturnType<Db['prisma']['version']['findUnique']>>>;
/** Reads the variable that a policy refers to as `${NAME}`. */
export type Secrets = (reference: string | null) => string | undefined;

/** A version and the policy of its model as it is now: where servers are is a fact of today, not of a frozen cycle. */
export async function readVersion(
  db: Db,
  model: string,
  version: number,
): Promise<{ row: VersionRow; policy: Policy }> {
  const stored = await db.prisma.model.findUnique({ where: { name: model } });
  if (stored === null) throw new UnderstudyError('unknown_model', { model });
  const row = await db.prisma.version.findUnique({ where: { model_version: { model, version } } });
  if (row === null) throw new UnderstudyError('unknown_version', { model, version });
  return { row, policy: parsePolicy(stored.policy) };
}

/** Where a version answers: adapters on every adapter server, anything else at the policy's upstream. */
export function endpointsOf(row: VersionRow, { upstream, serving }: Policy, secrets: Secrets): ChatEndpoint[] {
  if (row.kind === 'adapter') {
    const apiKey = secrets(serving.api_key);
    return serving.base_urls.map((url) => ({ baseUrl: `${url}/v1`, model: row.servedAs, apiKey }));
  }
  const model = row.kind === 'base' ? upstream.model : row.servedAs;
  return [{ baseUrl: upstream.base_url, model, apiKey: secrets(upstream.api_key) }];
}

/** Throws `version_rejected` or `adapter_dropped` for a version that nobody may be sent to. */
export function assertServable(row: Pick<VersionRow, 'model' | 'version' | 'state' | 'adapterDroppedAt'>): void {
  const { model, version } = row;
  if (row.state === 'rejected') throw new UnderstudyError('version_rejected', { model, version });
  if (row.adapterDroppedAt !== null) throw new UnderstudyError('adapter_dropped', { model, version });
}
