import pg from 'pg';

export interface OwnDatabase {
  url: string;
  drop(): Promise<void>;
}

/**
 * A database of its own on the server of `serverUrl`, so that a demo never touches anybody's data; dropped at the end.
 * @throws Error of the driver when the server does not answer or the user may not create databases
 */
export async function createOwnDatabase(serverUrl: string): Promise<OwnDatabase> {
  const name = `understudy_demo_${process.pid}_${Date.now()}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await administer(serverUrl, `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  return {
    url: url.href,
    drop: () => administer(serverUrl, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`),
  };
}

async function administer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
