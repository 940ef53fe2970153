import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheDir } from '#setup/toolchain.mjs';
import { openSupervisor } from '../../src/dev/index.js';
import type { Bench, BenchResult } from './bench.js';
import type { BenchOptions } from './options.js';
import type { Screen } from './screen.js';

/**
 * Runs one bench in a folder of its own and leaves nothing running, also on Ctrl-C. When it fails, the logs of what it
 * had started are kept, and a line says where.
 */
export async function runBench(bench: Bench, options: BenchOptions, screen: Screen): Promise<BenchResult> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-bench-'));
  // Started by root, Postgres runs as a user of its own, who has to pass through.
  chmodSync(folder, 0o711);
  const supervisor = await openSupervisor({
    stateDir: path.join(cacheDir(), 'bench-processes'),
    onEvent: (event) => {
      if (event.type === 'leftovers_ended')
        screen.say(`Ended what an earlier run left behind: ${event.names.join(', ')}.`);
      if (event.type === 'lost') screen.say(`${event.name} ended: ${event.reason}.`);
    },
  });
  supervisor.defer('folder', async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  if (options.profileDir !== undefined) mkdirSync(options.profileDir, { recursive: true });
  try {
    return await bench.run({
      runs: options.runs,
      quick: options.quick,
      profileDir: options.profileDir,
      folder,
      supervisor,
      say: (line) => screen.say(line),
      show: (line) => screen.show(line),
    });
  } catch (error) {
    const logs = path.join(folder, 'logs');
    const kept = path.join(cacheDir(), 'bench-logs');
    if (existsSync(logs)) {
      rmSync(kept, { recursive: true, force: true });
      cpSync(logs, kept, { recursive: true });
      screen.say(`The logs of what it had started are in ${kept}.`);
    }
    throw error;
  } finally {
    await supervisor.stop();
  }
}
