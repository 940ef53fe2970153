// Who may import whom, types included. A room is a folder of src; a stage is a room that does one step of a cycle.
// What must not be imported at run time, but may be as a type, is in .dependency-cruiser.runtime.cjs.
const STAGES =
  '(?:interactions|shadow|curation|datasets|training|registry|serving|evaluation|experiments|outcomes|routing|monitoring|cycles|housekeeping|retention|reviews|mirrors)';
const UNIT_TEST = String.raw`\.test\.ts$`;

/** Everything that production code in `from` may import from src (besides its own room); all else is forbidden. */
function only(name, from, allowed, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: `^src/${from}`, pathNot: UNIT_TEST },
    to: { path: '^src/', pathNot: allowed.map((room) => `^src/${room}`) },
  };
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-unknown-modules',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-packages-only',
      comment: 'A package that package.json does not name is there by chance.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'undetermined'] },
    },
    {
      name: 'stats-is-pure',
      comment: 'stats is mathematics: it imports nothing but itself.',
      severity: 'error',
      from: { path: '^src/stats/', pathNot: UNIT_TEST },
      to: { pathNot: '^src/stats/' },
    },
    {
      name: 'workflows-packages',
      comment: 'Workflow code replays: it may use only packages that are deterministic.',
      severity: 'error',
      from: { path: '^src/workflows/', pathNot: UNIT_TEST },
      to: { pathNot: ['^src/', 'node_modules/@temporalio/(workflow|common)/', 'node_modules/zod/'] },
    },
    only(
      'workflows-rooms',
      'workflows/',
      ['workflows/', 'policy/', 'activities/', 'temporal/', 'errors\\.ts$'],
      'Workflows know the policy, names and shapes; work is done by activities.',
    ),
    {
      name: 'workflows-stay-behind-temporal',
      comment: 'Who starts or signals workflows gets a client and names them by constant (src/temporal).',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/workflows/', '^src/worker\\.ts$', UNIT_TEST] },
      to: { path: '^src/workflows/' },
    },
    only(
      'activities-are-thin',
      'activities/',
      ['activities/', `${STAGES}/`, 'policy/', 'artifacts/', 'db/', 'temporal/', 'telemetry/', 'errors\\.ts$'],
      'Activities parse, call a stage, and answer with small facts.',
    ),
    only(
      'stages-build-on-foundations',
      `${STAGES}/`,
      [
        `${STAGES}/`,
        'background/',
        'db/',
        'state/',
        'artifacts/',
        'stats/',
        'policy/',
        'redaction/',
        'telemetry/',
        'temporal/',
        'errors\\.ts$',
      ],
      'A stage does not know who calls it.',
    ),
    {
      name: 'stages-through-their-index',
      comment: 'Another stage is used only through its index.ts.',
      severity: 'error',
      from: { path: `^src/(${STAGES})/`, pathNot: UNIT_TEST },
      to: { path: `^src/${STAGES}/`, pathNot: ['^src/$1/', `^src/${STAGES}/index\\.ts$`] },
    },
    {
      name: 'rooms-through-their-index',
      comment: 'From outside, a stage is its index.ts.',
      severity: 'error',
      from: {
        path: '^(src/(activities|gateway|http|commands|access|dev|formats|importing|exporting)/|src/[^/]+\\.ts$|demo/|bench/)',
        pathNot: UNIT_TEST,
      },
      to: { path: `^src/${STAGES}/`, pathNot: `^src/${STAGES}/index\\.ts$` },
    },
    only(
      'formats-are-mappings',
      'formats/',
      ['formats/', 'interactions/index\\.ts$', 'errors\\.ts$', 'recent\\.ts$'],
      'A format turns rows into records; it reads no files and stores nothing.',
    ),
    only(
      'files-in-and-out',
      '(importing|exporting)/',
      ['importing/', 'exporting/', 'formats/index\\.ts$', 'interactions/index\\.ts$', 'db/', 'errors\\.ts$'],
      'Import and export move rows between files and the interactions.',
    ),
    only(
      'edge-rooms',
      '(gateway|http)/',
      [
        'gateway/',
        'http/',
        'access/',
        `${STAGES}/`,
        'policy/',
        'db/',
        'state/',
        'artifacts/',
        'redaction/',
        'temporal/',
        'telemetry/',
        'errors\\.ts$',
        'recent\\.ts$',
      ],
      'Gateway and HTTP turn requests into calls of stages.',
    ),
    only(
      'foundations-stand-alone',
      '(background|db|state|artifacts|policy|redaction|telemetry|access|errors\\.ts$|config\\.ts$)',
      [
        'background/',
        'db/',
        'state/',
        'artifacts/',
        'policy/',
        'redaction/',
        'telemetry/',
        'temporal/',
        'access/',
        'errors\\.ts$',
        'config\\.ts$',
      ],
      'What everything stands on knows nothing of what stands on it.',
    ),
    only(
      'temporal-names-and-shapes',
      'temporal/',
      ['temporal/', 'activities/contract\\.ts$', 'policy/', 'telemetry/', 'errors\\.ts$'],
      'The names and shapes that workflows share with those who start them; of activities only their contract.',
    ),
    {
      name: 'embedded-parts-are-for-development',
      comment: 'The embedded parts serve `understudy dev`, the demo and the tests; nothing deployed depends on them.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/dev/', '^src/(cli|commands/dev)\\.ts$', UNIT_TEST] },
      to: { path: '^src/dev/' },
    },
    {
      name: 'demo-is-a-leaf',
      comment: 'Nothing builds on the demo.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli\\.ts$' },
      to: { path: '^demo/' },
    },
    {
      name: 'benches-are-leaves',
      comment: 'Nothing builds on the benches.',
      severity: 'error',
      from: { path: '^(src|demo)/' },
      to: { path: '^bench/' },
    },
    {
      name: 'tests-are-leaves',
      comment: 'Programs do not import tests or their helpers.',
      severity: 'error',
      from: { path: '^(src|demo|bench)/', pathNot: UNIT_TEST },
      to: { path: ['^test/', UNIT_TEST] },
    },
  ],
  options: {
    // TypeScript 7 has no compiler API that the default parser could use.
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '^dist'] },
    exclude: { path: ['^dist/', '^src/db/generated/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.d.ts'],
    },
    combinedDependencies: true,
  },
};
