// What must be on the machine beforehand. Everything that is missing is named at once, each with the command that
// cures it, before anything is downloaded.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import process from 'node:process';
import { officialArchive } from './download.mjs';
import { onPath, TEMPORAL_CLI_VERSION } from './toolchain.mjs';

export const NODE_MINIMUM = [20, 19];
const PYTHON_MINIMUM = [3, 10];
const GO_MINIMUM = [1, 25];
const JAVA_MINIMUM = [17];

/** The first version number in a text, as numbers. */
export function parseVersion(text) {
  const match = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text ?? '');
  return match ? match.slice(1).map((part) => Number(part ?? 0)) : undefined;
}

export function isAtLeast(version, minimum) {
  if (!version) return false;
  for (const [index, least] of minimum.entries()) {
    const part = version[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/** Standard output and error of a program together; undefined when it cannot be run or fails. */
function ask(command, args) {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve(error ? undefined : `${stdout}\n${stderr}`);
    });
  });
}

function packageManager() {
  if (process.platform === 'darwin') return 'brew';
  return ['apt-get', 'dnf', 'apk'].find((name) => onPath(name)) ?? 'other';
}

/** The command that installs a package here; `names` gives the package per package manager. */
function install(names, otherwise) {
  const manager = packageManager();
  const name = names[manager];
  if (!name) return otherwise;
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const commands = {
    brew: `brew install ${name}`,
    'apt-get': `${sudo}apt-get update && ${sudo}apt-get install -y ${name}`,
    dnf: `${sudo}dnf install -y ${name}`,
    apk: `${sudo}apk add ${name}`,
  };
  return commands[manager];
}

function nodeProblem() {
  if (isAtLeast(parseVersion(process.versions.node), NODE_MINIMUM)) return undefined;
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const apt = `curl -fsSL https://deb.nodesource.com/setup_22.x | ${sudo}bash - && ${sudo}apt-get install -y nodejs`;
  return {
    what: `Node ${NODE_MINIMUM.join('.')} or newer (this is ${process.versions.node})`,
    cure:
      packageManager() === 'apt-get'
        ? apt
        : install({ brew: 'node', dnf: 'nodejs', apk: 'nodejs npm' }, 'install it from https://nodejs.org/en/download'),
  };
}

function npmProblem() {
  if (process.env.npm_execpath || onPath('npm')) return undefined;
  const cure = install({ 'apt-get': 'npm', apk: 'npm', dnf: 'npm' }, 'install Node with npm from https://nodejs.org');
  return { what: 'npm', cure };
}

function gitProblem() {
  if (onPath('git')) return undefined;
  const names = { 'apt-get': 'git', dnf: 'git', apk: 'git', brew: 'git' };
  return { what: 'git', cure: install(names, 'install it from https://git-scm.com/downloads') };
}

const PYTHON_PROBE = `
import importlib.util as u, json, platform, sys
has = lambda name: u.find_spec(name) is not None
print(json.dumps({"path": sys.executable, "version": platform.python_version(), "venv": has("venv"), "ensurepip": has("ensurepip")}))`;

async function pythonAt(name) {
  const answer = await ask(name, ['-c', PYTHON_PROBE]);
  try {
    return JSON.parse(answer.trim().split('\n')[0]);
  } catch {
    return undefined;
  }
}

/** The best Python of this machine: `UNDERSTUDY_PYTHON`, else the first that will do among the usual names. */
async function findPython() {
  const chosen = process.env.UNDERSTUDY_PYTHON;
  const names = chosen ? [chosen] : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
  const found = (await Promise.all(names.map(pythonAt))).filter((python) => python !== undefined);
  const newEnough = found.filter(({ version }) => isAtLeast(parseVersion(version), PYTHON_MINIMUM));
  const complete = newEnough.find(({ venv, ensurepip }) => venv && ensurepip);
  return { python: complete, incomplete: newEnough[0], tooOld: found[0] };
}

function pythonProblem({ python, incomplete, tooOld }) {
  if (python) return undefined;
  if (incomplete) {
    const debian = `python${incomplete.version.split('.').slice(0, 2).join('.')}-venv`;
    return {
      what: `Python's venv and ensurepip (${incomplete.path}, ${incomplete.version}, is without)`,
      cure: install({ 'apt-get': debian, dnf: 'python3', apk: 'python3 py3-pip', brew: 'python' }, 'install them'),
    };
  }
  const names = { 'apt-get': 'python3 python3-venv', dnf: 'python3', apk: 'python3 py3-pip', brew: 'python' };
  return {
    what: `Python ${PYTHON_MINIMUM.join('.')} or newer with venv${tooOld ? ` (found ${tooOld.version})` : ''}`,
    cure: install(names, 'install it from https://www.python.org/downloads'),
  };
}

async function goProblems() {
  const version = parseVersion(/go(\d\S*)/.exec((await ask('go', ['version'])) ?? '')?.[1]);
  if (isAtLeast(version, GO_MINIMUM)) return [];
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const archive = `https://go.dev/dl/go1.26.8.linux-${arch}.tar.gz`;
  const linux = `curl -fsSL ${archive} | ${sudo}tar -C /usr/local -xz && export PATH="/usr/local/go/bin:$PATH"`;
  const problem = {
    what:
      `Go ${GO_MINIMUM.join('.')} or newer${version ? ` (found ${version.join('.')})` : ''}, to build the Temporal server: ` +
      'there is no `temporal` on PATH, and Temporal’s own downloads cannot be reached from here',
    cure: process.platform === 'darwin' ? 'brew install go' : linux,
  };
  return [problem];
}

async function javaProblems() {
  const [java, maven] = await Promise.all([ask('java', ['-version']), ask('mvn', ['-v'])]);
  const version = parseVersion(/version "([^"]+)"/.exec(java ?? '')?.[1]);
  const why = 'for the time-skipping test server: Temporal’s own downloads cannot be reached from here';
  const problems = [];
  if (!isAtLeast(version, JAVA_MINIMUM)) {
    const names = {
      'apt-get': 'openjdk-17-jre-headless',
      dnf: 'java-17-openjdk-headless',
      apk: 'openjdk17',
      brew: 'openjdk',
    };
    problems.push({ what: `Java 17 or newer, ${why}`, cure: install(names, 'install it from https://adoptium.net') });
  }
  if (maven === undefined) {
    const names = { 'apt-get': 'maven', dnf: 'maven', apk: 'maven', brew: 'maven' };
    problems.push({ what: `Maven, ${why}`, cure: install(names, 'install it from https://maven.apache.org') });
  }
  return problems;
}

/**
 * Looks at the machine for what the pending steps need.
 *
 * @param {Set<string>} pending ids of the steps that are still to be done
 * @param {string} sdkVersion
 * @returns {Promise<{problems: {what: string, cure: string}[], python?: string, temporal?: object, testServer?: object}>}
 *   `python` is the interpreter to use; `temporal` and `testServer` are official archives, undefined where they have to
 *   be built
 */
export async function checkPrerequisites(pending, sdkVersion) {
  const needsPython = pending.has('python') || pending.has('python-tests');
  const [pythons, temporal, testServer] = await Promise.all([
    needsPython ? findPython() : undefined,
    pending.has('temporal') ? findArchive('cli', `v${TEMPORAL_CLI_VERSION}`, sdkVersion) : undefined,
    pending.has('test-server') ? findArchive('temporal-test-server', 'default', sdkVersion) : undefined,
  ]);
  const builders = await Promise.all([
    pending.has('temporal') && !temporal ? goProblems() : [],
    pending.has('test-server') && !testServer ? javaProblems() : [],
  ]);
  const problems = [
    nodeProblem(),
    pending.has('packages') ? npmProblem() : undefined,
    pythons ? pythonProblem(pythons) : undefined,
    gitProblem(),
    ...builders.flat(),
  ];
  return {
    problems: problems.filter((problem) => problem !== undefined),
    python: pythons?.python?.path,
    temporal,
    testServer,
  };
}

async function findArchive(artifact, version, sdkVersion) {
  if (typeof fetch !== 'function') return undefined;
  const archive = await officialArchive(artifact, version, sdkVersion);
  return archive ?? (version === 'default' ? undefined : officialArchive(artifact, 'default', sdkVersion));
}

/** Bytes that are free for this user on the disk of a folder that may not exist yet. */
export function freeBytes(folder) {
  let at = folder;
  while (!fs.existsSync(at)) at = at.slice(0, Math.max(1, at.lastIndexOf('/')));
  const { bavail, bsize } = fs.statfsSync(at);
  return bavail * bsize;
}
