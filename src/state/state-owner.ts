import { createHash } from 'node:crypto';

/** Names a deployment by its database, whoever asks and with whatever password: 16 hexadecimal digits. */
export function stateOwner(databaseUrl: string): string {
  const { hostname, port, pathname, searchParams } = new URL(databaseUrl);
  const place = [searchParams.get('host') ?? hostname, searchParams.get('port') ?? (port || '5432'), pathname];
  return createHash('sha256').update(place.join('\0')).digest('hex').slice(0, 16);
}
