import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { onPath } from '#setup/toolchain.mjs';
import { type BenchContext, npmPeer } from '../harness/index.js';

const run = promisify(execFile);

/** Postgres's own bulk format, between a table and a file, on one connection. */
export interface Copy {
  version: string;
  /** `query` is a table with its columns, or a query in parentheses. */
  toFile(url: string, query: string, file: string): Promise<void>;
  fromFile(url: string, table: string, file: string): Promise<void>;
}

/** `psql` where there is one; else the same protocol by pg-copy-streams, which sends the file's bytes as they are. */
export async function openCopy(context: BenchContext): Promise<Copy> {
  const psql = onPath('psql');
  if (psql === undefined) return copyByStream(context);
  const { stdout } = await run(psql, ['--version']);
  const command = async (url: string, line: string) => {
    const { hostname, port, username, password, pathname } = new URL(url);
    const env = { ...process.env, PGPASSWORD: decodeURIComponent(password) };
    const where = ['-h', hostname, '-p', port, '-U', username, '-d', pathname.slice(1)];
    await run(psql, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...where, '-c', line], { env });
  };
  return {
    version: stdout.trim(),
    toFile: (url, query, file) => command(url, `\\copy ${query} to '${file}'`),
    fromFile: (url, table, file) => command(url, `\\copy ${table} from '${file}'`),
  };
}

async function copyByStream(context: BenchContext): Promise<Copy> {
  context.say('There is no psql on PATH: its \\copy is stood in for by pg-copy-streams with the same bytes.');
  const peer = await npmPeer(context, 'pg-copy-streams');
  const { from, to } = peer.require('pg-copy-streams') as {
    from(sql: string): Writable & pg.Submittable;
    to(sql: string): Readable & pg.Submittable;
  };
  const connected = async (url: string, work: (client: pg.Client) => Promise<void>) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await work(client).finally(() => client.end());
  };
  return {
    version: `pg-copy-streams ${peer.version}`,
    toFile: (url, query, file) =>
      connected(url, (client) => pipeline(client.query(to(`COPY ${query} TO STDOUT`)), createWriteStream(file))),
    fromFile: (url, table, file) =>
      connected(url, (client) => pipeline(createReadStream(file), client.query(from(`COPY ${table} FROM STDIN`)))),
  };
}
