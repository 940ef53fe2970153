// The steps that work inside the clone: packages, the generated client, the build.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { filesBelow, hashFiles, hashModuleGraph } from './hashing.mjs';
import { onPath, ROOT } from './toolchain.mjs';

const at = (...parts) => path.join(ROOT, ...parts);
const NODE_MODULES = at('node_modules');
const PACKAGE_STAMP = path.join(NODE_MODULES, '.understudy-packages');
const CLIENT = at('src', 'db', 'generated');
const CLIENT_STAMP = path.join(CLIENT, '.understudy-schema');
const BUILD_STAMP = at('dist', '.understudy-build');
const BUNDLE = at('dist', 'workflow-bundle.js');
const BUNDLE_STAMP = at('dist', '.understudy-workflow-bundle');
const WORKFLOWS = at('dist', 'src', 'workflows', 'index.js');

/** One lock for the clone: these steps build on each other. */
const LOCK = at('.understudy', 'setup.lock');

function stampIs(file, value) {
  try {
    return fs.readFileSync(file, 'utf8') === value;
  } catch {
    return false;
  }
}

function packagesHash() {
  return hashFiles([at('package-lock.json')], `${process.platform}-${process.arch}`);
}

/** Did npm itself already install exactly what the lock file asks for (a plain `npm ci`, an image)? */
function installedMatchesLock() {
  let wanted;
  let installed;
  try {
    wanted = JSON.parse(fs.readFileSync(at('package-lock.json'), 'utf8')).packages;
    installed = JSON.parse(fs.readFileSync(path.join(NODE_MODULES, '.package-lock.json'), 'utf8')).packages;
  } catch {
    return false;
  }
  const isForHere = ({ os, cpu, libc }) =>
    libc === undefined && os?.includes(process.platform) === true && cpu?.includes(process.arch) === true;
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '' || installed[name]?.version === entry.version) return true;
    // Optional packages of other platforms, and what only those need, stay away.
    return installed[name] === undefined && entry.optional === true && !isForHere(entry);
  });
}

export const packages = {
  id: 'packages',
  title: 'npm packages',
  after: [],
  lock: LOCK,
  size: () => ({ download: 390e6, disk: 1.3e9 }),
  isDone: () => stampIs(PACKAGE_STAMP, packagesHash()) || adoptPackages(),
  async run({ run }) {
    const npm = process.env.npm_execpath;
    // Development packages are part of it whatever NODE_ENV says: the build and the tests need them.
    const args = ['ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];
    if (npm?.endsWith('.js')) await run(process.execPath, [npm, ...args], { cwd: ROOT });
    else await run(onPath('npm') ?? 'npm', args, { cwd: ROOT });
    fs.writeFileSync(PACKAGE_STAMP, packagesHash());
  },
};

/** Packages that npm installed by itself, after a pull or in an image, need not be installed again. */
function adoptPackages() {
  if (!installedMatchesLock()) return false;
  fs.writeFileSync(PACKAGE_STAMP, packagesHash());
  return true;
}

function schemaHash() {
  const schemas = filesBelow(at('prisma'), (file) => file.endsWith('.prisma'));
  return hashFiles([...schemas, at('prisma.config.ts'), path.join(NODE_MODULES, 'prisma', 'package.json')]);
}

export const client = {
  id: 'client',
  title: 'database client (prisma generate)',
  after: ['packages'],
  lock: LOCK,
  isDone: () => stampIs(CLIENT_STAMP, schemaHash()),
  async run({ run }) {
    fs.rmSync(CLIENT_STAMP, { force: true });
    await run(process.execPath, [path.join(NODE_MODULES, 'prisma', 'build', 'index.js'), 'generate'], {
      cwd: ROOT,
      // Prisma asks for a native engine that `generate` never uses; any existing file keeps it from downloading one.
      env: {
        PRISMA_SCHEMA_ENGINE_BINARY: at('package.json'),
        CHECKPOINT_DISABLE: '1',
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
    });
    fs.writeFileSync(CLIENT_STAMP, schemaHash());
  },
};

const PROGRAM_FOLDERS = ['src', 'demo', 'bench'];

function sourceHash() {
  const isSource = (file) => file.endsWith('.ts') && !file.endsWith('.test.ts');
  const sources = PROGRAM_FOLDERS.flatMap((folder) => filesBelow(at(folder), isSource));
  return hashFiles([...sources, at('tsconfig.json'), at('setup', 'tsconfig.build.json'), at('package-lock.json')]);
}

function bundleHash() {
  return hashModuleGraph([WORKFLOWS], [at('package-lock.json')]);
}

function bundleIsFresh() {
  return !fs.existsSync(WORKFLOWS) || (fs.existsSync(BUNDLE) && stampIs(BUNDLE_STAMP, bundleHash()));
}

/** Programs whose source is gone must not linger: an old workflow file would still be found. */
function removeOrphans() {
  for (const folder of PROGRAM_FOLDERS) {
    const made = filesBelow(at('dist', folder), (file) => /\.js(\.map)?$/.test(file));
    for (const file of made) {
      const source = at(path.relative(at('dist'), file)).replace(/\.js(\.map)?$/, '.ts');
      if (!fs.existsSync(source)) fs.rmSync(file, { force: true });
    }
  }
}

export const build = {
  id: 'build',
  title: 'build',
  after: ['packages', 'client'],
  lock: LOCK,
  isDone: () => stampIs(BUILD_STAMP, sourceHash()) && bundleIsFresh(),
  async run({ run }) {
    const hash = sourceHash();
    if (!stampIs(BUILD_STAMP, hash)) {
      fs.rmSync(BUILD_STAMP, { force: true });
      const tsc = path.join(NODE_MODULES, 'typescript', 'bin', 'tsc');
      await run(process.execPath, [tsc, '-p', at('setup', 'tsconfig.build.json')], { cwd: ROOT });
      removeOrphans();
      fs.writeFileSync(BUILD_STAMP, hash);
    }
    if (bundleIsFresh()) return;
    // Bundled once here, and not by every worker at its start.
    await run(process.execPath, [at('setup', 'bundle-workflows.mjs'), WORKFLOWS, BUNDLE], { cwd: ROOT });
    fs.writeFileSync(BUNDLE_STAMP, bundleHash());
  },
};

/** The version of the Temporal SDK, as the lock file pins it. */
export function sdkVersion() {
  const { dependencies } = JSON.parse(fs.readFileSync(at('package.json'), 'utf8'));
  return dependencies['@temporalio/worker'];
}

/** URL of the check of the demo's options, which must need no package; undefined when the clone has no demo. */
export function demoOptionsModule() {
  const file = at('setup', 'demo-options.mjs');
  return fs.existsSync(file) ? pathToFileURL(file).href : undefined;
}
