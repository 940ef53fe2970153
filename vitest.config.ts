import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // The native Temporal worker crashes in worker threads.
    pool: 'forks',
    maxWorkers: 2,
    // What is waited for comes at once, and in seconds on a machine that does other things.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'demo/**/*.test.ts', 'bench/**/*.test.ts'],
          // Property tests take a second, and ten on a machine that does other things.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
