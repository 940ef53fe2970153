import { defineConfig } from 'vitest/config';

/** `npm run fuzz`: not part of `npm test`, which needs nothing from outside. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/fuzz/**/*.fuzz.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
  },
});
