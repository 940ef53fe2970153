import type { Db } from '../db/index.js';
import { UnderstudyError } from '../errors.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Locks a key's row for the rest of the transaction and answers it. Throws `unknown_key`, and `invalid_option` for a key
 * in clear where its id belongs: it is not repeated.
 */
export async function lockKey(
  tx: Parameters<Parameters<Db['prisma']['$transaction']>[0]>[0],
  id: string,
): Promise<NonNullable<Awaited<ReturnType<typeof tx.key.findUnique>>>> {
  if (id.startsWith('us_')) {
    throw new UnderstudyError('invalid_option', {
      option: 'id',
      detail: 'give the id of the key, not the key; see `understudy key list`',
    });
  }
  if (!UUID.test(id)) throw new UnderstudyError('unknown_key', { id: id.slice(0, 80) });
  await tx.$queryRaw`SELECT 1 FROM keys WHERE id = ${id}::uuid FOR UPDATE`;
  const row = await tx.key.findUnique({ where: { id } });
  if (row === null) throw new UnderstudyError('unknown_key', { id });
  return row;
}
