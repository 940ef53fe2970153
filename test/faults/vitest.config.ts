import { defineConfig } from 'vitest/config';

/** `npm run faults`: minutes; `npm test` has a sample of it. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/faults/**/*.matrix.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    hookTimeout: 1_800_000,
  },
});
