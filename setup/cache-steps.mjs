// The steps that fill the cache: the Temporal CLI, the time-skipping test server, the trainer's Python environment.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { extractFromArchive, isReachable, torchCpuIndex } from './download.mjs';
import {
  cacheDir,
  cachedTemporalCli,
  cachedTestServer,
  findTemporalCli,
  isCompletePython,
  pythonEnvironmentDir,
  pythonIn,
  pythonLocks,
  pythonTestLibraryDir,
  ROOT,
  TEMPORAL_CLI_VERSION,
  TEST_SERVER_VERSION,
} from './toolchain.mjs';

const UNUSED_DAYS = 30;
const lockOf = (id) => path.join(cacheDir(), `${id}.lock`);

/**
 * Makes a folder aside and gives it its name when it is complete, so that an interrupted step leaves nothing half-made.
 * The step's lock is held, so what drafts of this step there are belong to nobody any more.
 */
async function inDraft(id, target, work) {
  const prefix = `draft-${id}-`;
  for (const name of fs.readdirSync(cacheDir())) {
    if (name.startsWith(prefix)) fs.rmSync(path.join(cacheDir(), name), { recursive: true, force: true });
  }
  const draft = path.join(cacheDir(), `${prefix}${randomUUID()}`);
  fs.mkdirSync(draft, { recursive: true });
  try {
    await work(draft);
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(draft, target);
  } finally {
    fs.rmSync(draft, { recursive: true, force: true });
  }
}

/** @param {() => object | undefined} archive the official download, when there is one */
export function temporalStep(archive) {
  return {
    id: 'temporal',
    title: 'Temporal server and CLI',
    after: [],
    lock: lockOf('temporal'),
    size: () => (archive() ? { download: 50e6, disk: 180e6 } : { download: 330e6, disk: 3e9 }),
    isDone: () => findTemporalCli() !== undefined,
    async run({ run, signal }) {
      const target = cachedTemporalCli();
      await inDraft('temporal', path.dirname(target), async (draft) => {
        const official = archive();
        if (official) return extractFromArchive(official, path.join(draft, path.basename(target)), signal);
        const source = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;
        // Without symbols: a third smaller, and linked sooner.
        await run('go', ['install', '-ldflags=-s -w', source], { cwd: draft, env: { CGO_ENABLED: '0', GOBIN: draft } });
      });
    },
  };
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>understudy</groupId><artifactId>test-server</artifactId><version>1</version>
<dependencies><dependency>
<groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>${TEST_SERVER_VERSION}</version>
</dependency></dependencies></project>
`;

// It must exec: the SDK stops the process that it started. The flags are for a short start, which the SDK waits 5 s for.
const WRAPPER = `#!/bin/sh
exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto \\
  -cp "\${0%/*}/jars/*" io.temporal.testserver.TestServer "$@"
`;

/** @param {() => object | undefined} archive the official download, when there is one */
export function testServerStep(archive) {
  return {
    id: 'test-server',
    title: 'time-skipping test server',
    after: [],
    lock: lockOf('test-server'),
    size: () => ({ download: 50e6, disk: 100e6 }),
    isDone: () => fs.existsSync(cachedTestServer()),
    async run({ run, signal }) {
      const target = cachedTestServer();
      await inDraft('test-server', path.dirname(target), async (draft) => {
        const official = archive();
        if (official) return extractFromArchive(official, path.join(draft, path.basename(target)), signal);
        fs.writeFileSync(path.join(draft, 'pom.xml'), POM);
        const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${draft}/jars`];
        await run('mvn', ['--batch-mode', '--no-transfer-progress', ...goal], { cwd: draft });
        fs.writeFileSync(path.join(draft, path.basename(target)), WRAPPER, { mode: 0o755 });
      });
    },
  };
}

// GPU libraries that the lock may name. PyTorch itself asks for the ones that its build needs, in exact versions: all on
// Linux from the default index, none from the CPU index and elsewhere.
const GPU_PACKAGE = /^(nvidia|cuda|triton|pytorch-triton)[\w.-]*==/i;

const PIP = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];

/** The CPU build of PyTorch exists in an index of its own; elsewhere than on Linux the default one is CPU already. */
async function cpuIndex() {
  if (process.platform !== 'linux') return undefined;
  const index = torchCpuIndex();
  return (await isReachable(`${index}/torch/`)) ? index : undefined;
}

/** Environments of earlier locks, of several gigabytes each, are removed when nobody has used them for a month. */
function removeUnused() {
  const limit = Date.now() - UNUSED_DAYS * 86_400_000;
  for (const name of fs.readdirSync(cacheDir())) {
    const stamp = path.join(cacheDir(), name, '.complete');
    if (!name.startsWith('python-') || !fs.existsSync(stamp)) continue;
    if (fs.statSync(stamp).mtimeMs < limit) fs.rmSync(path.join(cacheDir(), name), { recursive: true, force: true });
  }
}

function isUsable(folder) {
  const now = new Date();
  if (!isCompletePython(folder)) return false;
  fs.utimesSync(path.join(folder, '.complete'), now, now);
  return true;
}

/** @param {() => string | undefined} python the interpreter to make the environment from */
export function pythonStep(python) {
  return {
    id: 'python',
    title: 'Python environment of the trainer',
    after: [],
    lock: lockOf('python'),
    large: true,
    size: () => ({ download: 3.2e9, disk: 6e9 }),
    isDone: () => isUsable(pythonEnvironmentDir()),
    async run({ run, log }) {
      removeUnused();
      const folder = pythonEnvironmentDir();
      // A virtual environment knows its own path, so it is made in place; `.complete` comes last.
      fs.rmSync(folder, { recursive: true, force: true });
      await run(python() ?? 'python3', ['-m', 'venv', folder]);
      const index = await cpuIndex();
      const pins = fs.readFileSync(pythonLocks().run, 'utf8').split('\n');
      const requirements = `${log}.requirements.txt`;
      fs.writeFileSync(requirements, pins.filter((line) => !GPU_PACKAGE.test(line)).join('\n'));
      await run(pythonIn(folder), [...PIP, ...(index ? ['--extra-index-url', index] : []), '-r', requirements], {
        cwd: ROOT,
      });
      fs.writeFileSync(path.join(folder, '.complete'), '');
    },
  };
}

/** What only tests need of Python (the official OpenAI client among it), beside the environment, which stays as the demo has it. */
export const pythonTests = {
  id: 'python-tests',
  title: 'Python test tools',
  after: ['python'],
  lock: lockOf('python-tests'),
  size: () => ({ download: 5e6, disk: 52e6 }),
  isDone: () => fs.existsSync(pythonTestLibraryDir()),
  async run({ run }) {
    await inDraft('python-tests', pythonTestLibraryDir(), async (draft) => {
      const python = pythonIn(pythonEnvironmentDir());
      await run(python, [...PIP, '--no-deps', '--target', draft, '-r', pythonLocks().test], { cwd: ROOT });
    });
  },
};
