import fs from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { hashModuleGraph } from '#setup/hashing.mjs';
import { withLock } from '#setup/lock.mjs';
import { ROOT } from '#setup/toolchain.mjs';

/**
 * Path of the workflows' bundle, for `Worker.create({ workflowBundle: { codePath } })` and replay. The first test that
 * asks makes it (some seconds); the others, and later runs on the same sources, use it again. `interceptors`: modules that
 * lay something around every workflow.
 */
export async function workflowBundle(interceptors: string[] = []): Promise<string> {
  const workflowsPath = path.join(ROOT, 'src', 'workflows', 'index.ts');
  const lockfile = path.join(ROOT, 'package-lock.json');
  const folder = path.join(ROOT, '.understudy', 'test');
  const file = path.join(folder, `workflow-bundle-${hashModuleGraph([workflowsPath, ...interceptors], [lockfile])}.js`);
  if (fs.existsSync(file)) return file;
  return withLock(`${file}.lock`, async () => {
    if (fs.existsSync(file)) return file;
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      workflowInterceptorModules: interceptors,
      preloadModules: ['zod'],
      logger: quiet,
    });
    removeOld(folder);
    fs.writeFileSync(`${file}.draft`, code);
    fs.renameSync(`${file}.draft`, file);
    return file;
  });
}

/** A bundle of other sources may still be in use by a run that is going on; after an hour it is not. */
function removeOld(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    if (name.endsWith('.js') && fs.statSync(file).mtimeMs < Date.now() - 3_600_000) fs.rmSync(file, { force: true });
  }
}

const nothing = () => {};
const quiet = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: console.warn, error: console.error };
