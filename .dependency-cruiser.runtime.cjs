// Who may import whom at run time. It is applied to the compiled modules (setup/check-runtime-imports.mjs), from which
// everything that is a type only is gone.
const SRC = String.raw`^\.understudy/imports/src/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Modules that need each other are one idea in two files.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-development-packages-in-production',
      comment: 'src runs without the development packages.',
      severity: 'error',
      from: { path: String.raw`^\.understudy/imports/` },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'workflows-types-of-activities',
      comment: 'Workflows know activities by their types; the worker runs them.',
      severity: 'error',
      from: { path: `${SRC}workflows/` },
      to: { path: `${SRC}activities/` },
    },
    {
      name: 'config-at-the-roots',
      comment: 'Only composition roots read the configuration; everything else is given what it needs.',
      severity: 'error',
      from: { path: SRC, pathNot: String.raw`${SRC}((cli|worker|server|config)\.js$|commands/)` },
      to: { path: String.raw`${SRC}config\.js$` },
    },
    {
      name: 'temporal-runs-alone',
      comment: 'Of activities, src/temporal knows types only.',
      severity: 'error',
      from: { path: `${SRC}temporal/` },
      to: { path: `${SRC}activities/` },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: `${SRC}db/generated/` },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
    combinedDependencies: true,
  },
};
