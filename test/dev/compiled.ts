import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { withLock } from '#setup/lock.mjs';
import { ROOT } from '#setup/toolchain.mjs';

const FOLDER = path.join(ROOT, '.understudy', 'test', 'dev');

/**
 * Compiles the supervisor and returns its URL, for programs of their own: what happens to children when their
 * parent is killed can only be seen from outside of that parent.
 */
export function compiledDev(): Promise<string> {
  return withLock(`${FOLDER}.lock`, async () => {
    fs.mkdirSync(FOLDER, { recursive: true });
    const config = path.join(FOLDER, 'tsconfig.json');
    const compilerOptions = {
      rootDir: path.join(ROOT, 'src'),
      outDir: FOLDER,
      tsBuildInfoFile: `${FOLDER}.tsbuildinfo`,
    };
    const include = [path.join(ROOT, 'src', 'dev', 'supervisor.ts')];
    const json = { extends: path.join(ROOT, 'tsconfig.json'), compilerOptions, include, exclude: [] };
    fs.writeFileSync(config, JSON.stringify(json));
    execFileSync(process.execPath, [path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', config], {
      stdio: 'pipe',
    });
    return pathToFileURL(path.join(FOLDER, 'dev', 'supervisor.js')).href;
  });
}

/** A program that supervises two children, of which one is stubborn, and writes their pids into `FOLDER/pids`. */
export function parentProgram(dev: string, folder: string, ending = ''): string[] {
  const stubborn = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);";
  return [
    '--input-type=module',
    '-e',
    `import fs from 'node:fs';
     import { openSupervisor } from ${JSON.stringify(dev)};
     const report = "console.log('listening');";
     const folder = ${JSON.stringify(folder)};
     const supervisor = await openSupervisor({ stateDir: folder + '/processes' });
     const start = (name, code) => supervisor.spawn(name, process.execPath, ['-e', code + report], {
       logFile: folder + '/' + name, stopTimeoutMs: 500, restart: { maxPerMinute: 5 },
       ready: async () => fs.readFileSync(folder + '/' + name, 'utf8').includes('listening'),
     });
     await start('gentle', 'setInterval(() => {}, 1000);');
     await start('stubborn', ${JSON.stringify(stubborn)});
     fs.writeFileSync(folder + '/pids.draft', JSON.stringify(supervisor.running().map(({ pid }) => pid)));
     fs.renameSync(folder + '/pids.draft', folder + '/pids');
     ${ending}`,
  ];
}
