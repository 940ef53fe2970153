import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { runCommand } from '#setup/command.mjs';
import { withLock } from '#setup/lock.mjs';
import { cacheDir, onPath, pythonIn, ROOT } from '#setup/toolchain.mjs';
import type { BenchContext } from './bench.js';

const PEERS = path.join(ROOT, 'bench', 'peers');
const PLATFORM = `${process.platform}-${process.arch}-node${process.versions.modules}`;

/** A program or library that others wrote, in a folder of its own in the cache: nothing of it is in our dependencies. */
export interface Peer {
  name: string;
  version: string;
  folder: string;
}

/** An npm package of bench/peers/package.json, installed when it is missing. */
export async function npmPeer(context: BenchContext, name: string): Promise<Peer & { require: NodeJS.Require }> {
  const { dependencies } = JSON.parse(readFileSync(path.join(PEERS, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const version = dependencies[name];
  if (version === undefined) throw new Error(`bench/peers/package.json does not name ${name}`);
  const folder = await installed(
    context,
    `npm-${name.replace('/', '+')}-${version}-${PLATFORM}`,
    async (draft, run) => {
      writeFileSync(
        path.join(draft, 'package.json'),
        JSON.stringify({ private: true, dependencies: { [name]: version } }),
      );
      const npm = process.env.npm_execpath;
      const args = ['install', '--no-audit', '--no-fund', '--no-package-lock'];
      if (npm?.endsWith('.js')) await run(process.execPath, [npm, ...args], draft);
      else await run(onPath('npm') ?? 'npm', args, draft);
      return undefined;
    },
  );
  return { name, version, folder, require: createRequire(path.join(folder, 'package.json')) };
}

/** A Python package of bench/peers/requirements.txt in a virtual environment of its own, installed when it is missing. */
export async function pythonPeer(context: BenchContext, name: string): Promise<Peer & { python: string }> {
  const lines = readFileSync(path.join(PEERS, 'requirements.txt'), 'utf8').split('\n');
  const line = lines.map((text) => text.trim()).find((text) => /^[^=\s]+/.exec(text)?.[0] === name);
  const version = line?.split('==')[1]?.trim();
  if (line === undefined || version === undefined) throw new Error(`bench/peers/requirements.txt does not pin ${name}`);
  const key = createHash('sha256').update(line).digest('hex').slice(0, 12);
  const title = `python-${name.replace(/\[.*/, '')}-${version}-${process.platform}-${process.arch}-${key}`;
  const folder = await installed(context, title, async (draft, run) => {
    // A virtual environment knows its own path, so that it is made where it stays.
    const target = path.join(peersFolder(), title, 'venv');
    rmSync(path.dirname(target), { recursive: true, force: true });
    mkdirSync(path.dirname(target), { recursive: true });
    await run(onPath('python3') ?? 'python3', ['-m', 'venv', target], draft);
    await run(pythonIn(target), ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', line], draft);
    return path.dirname(target);
  });
  return { name, version, folder, python: pythonIn(path.join(folder, 'venv')) };
}

function peersFolder(): string {
  return path.join(cacheDir(), 'bench-peers');
}

type Run = (command: string, args: string[], cwd: string) => Promise<void>;

/** The folder of a peer; `work` fills a draft of it (or answers that it has filled the folder itself). */
async function installed(
  context: BenchContext,
  title: string,
  work: (draft: string, run: Run) => Promise<string | undefined>,
): Promise<string> {
  const folder = path.join(peersFolder(), title);
  const isComplete = () => existsSync(path.join(folder, '.complete'));
  if (isComplete()) return folder;
  mkdirSync(peersFolder(), { recursive: true });
  const stop = new AbortController();
  context.supervisor.defer(`installing ${title}`, async () => stop.abort(new Error('interrupted')));
  await withLock(
    path.join(peersFolder(), `${title}.lock`),
    async () => {
      if (isComplete()) return;
      context.say(`Installing ${title} in ${peersFolder()}, once`);
      const draft = path.join(peersFolder(), `draft-${randomUUID()}`);
      mkdirSync(draft, { recursive: true });
      const log = path.join(peersFolder(), 'logs', `${title}.log`);
      try {
        const made = await work(draft, (command, args, cwd) =>
          runCommand(command, args, { log, cwd, signal: stop.signal }),
        );
        if (made !== folder) {
          rmSync(folder, { recursive: true, force: true });
          renameSync(draft, folder);
        }
        writeFileSync(path.join(folder, '.complete'), '');
      } finally {
        rmSync(draft, { recursive: true, force: true });
      }
    },
    { signal: stop.signal },
  );
  return folder;
}
