// Where the things live that the set-up brings: the only place that knows the layout of the cache. It depends on
// nothing, because it also runs before `npm ci`.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The Temporal CLI; it contains the server. Newer tags cannot be built with `go install`. */
export const TEMPORAL_CLI_VERSION = '1.5.1';
/** The time-skipping test server, where it comes from Maven. */
export const TEST_SERVER_VERSION = '1.38.0';

// A cache may be shared by machines of different kinds.
const PLATFORM = `${process.platform}-${process.arch}`;

/** Something that the set-up brings is not there. The message says how to get it. */
export class MissingToolError extends Error {
  constructor(message) {
    super(message);
    this.name = 'MissingToolError';
  }
}

/** Downloads are kept here, outside the clone: `UNDERSTUDY_CACHE`, else `understudy` in the user's cache folder. */
export function cacheDir() {
  const { UNDERSTUDY_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (UNDERSTUDY_CACHE) return path.resolve(UNDERSTUDY_CACHE);
  if (process.platform === 'darwin') return path.join(os.homedir(), 'Library', 'Caches', 'understudy');
  if (process.platform === 'win32' && LOCALAPPDATA) return path.join(LOCALAPPDATA, 'understudy');
  // The XDG rules: a relative path there is to be ignored.
  if (XDG_CACHE_HOME && path.isAbsolute(XDG_CACHE_HOME)) return path.join(XDG_CACHE_HOME, 'understudy');
  return path.join(os.homedir(), '.cache', 'understudy');
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The first program of that name on PATH. */
export function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, name);
    if (folder && isExecutable(file)) return file;
  }
  return undefined;
}

/** Where the set-up puts the Temporal CLI. */
export function cachedTemporalCli() {
  return path.join(cacheDir(), `temporal-${TEMPORAL_CLI_VERSION}-${PLATFORM}`, 'temporal');
}

/** The Temporal CLI: `TEMPORAL_CLI_PATH`, `temporal` on PATH, the cache; undefined when there is none yet. */
export function findTemporalCli() {
  const { TEMPORAL_CLI_PATH } = process.env;
  if (TEMPORAL_CLI_PATH) {
    if (isExecutable(TEMPORAL_CLI_PATH)) return path.resolve(TEMPORAL_CLI_PATH);
    throw new MissingToolError(`TEMPORAL_CLI_PATH is ${TEMPORAL_CLI_PATH}, which is no program: correct or unset it.`);
  }
  const cached = cachedTemporalCli();
  return onPath('temporal') ?? (isExecutable(cached) ? cached : undefined);
}

/** Path of the Temporal CLI. @throws MissingToolError naming the cure */
export function temporalCliPath() {
  const file = findTemporalCli();
  if (file) return file;
  throw new MissingToolError(
    'No Temporal CLI yet: run `node setup/run.mjs setup`, or set TEMPORAL_CLI_PATH to a `temporal` binary.',
  );
}

/** Where the set-up puts the time-skipping test server: a folder with one program in it, whatever it came from. */
export function cachedTestServer() {
  return path.join(cacheDir(), `test-server-${TEST_SERVER_VERSION}-${PLATFORM}`, 'temporal-test-server');
}

/** Path of the time-skipping test server. @throws MissingToolError naming the cure */
export function testServerPath() {
  const file = cachedTestServer();
  if (isExecutable(file)) return file;
  throw new MissingToolError('No time-skipping test server yet: run `npm test` once, it brings it.');
}

/** Folder that must be on PYTHONPATH for `python -m understudy_trainer`. */
export function trainerDir() {
  return path.join(ROOT, 'trainer');
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(fs.readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 16);
}

const LOCK = path.join(ROOT, 'trainer', 'requirements.lock');
const TEST_LOCK = path.join(ROOT, 'trainer', 'requirements-test.lock');

/** The pinned Python packages, for running and for the tests. */
export function pythonLocks() {
  return { run: LOCK, test: TEST_LOCK };
}

/** Folder of the Python environment for the present lock. It is complete when `.complete` is in it. */
export function pythonEnvironmentDir() {
  return path.join(cacheDir(), `python-${PLATFORM}-${hashOf([LOCK])}`);
}

/** Folder with the packages that only the Python tests need; goes on PYTHONPATH. */
export function pythonTestLibraryDir() {
  return path.join(cacheDir(), `python-test-${PLATFORM}-${hashOf([LOCK, TEST_LOCK])}`);
}

/** Python of the environment in this folder. */
export function pythonIn(folder) {
  return process.platform === 'win32' ? path.join(folder, 'Scripts', 'python.exe') : path.join(folder, 'bin', 'python');
}

/** Is the environment in this folder complete, and is the Python that it was made from still there? */
export function isCompletePython(folder) {
  return fs.existsSync(path.join(folder, '.complete')) && isExecutable(pythonIn(folder));
}

/** The Python with the trainer's packages. @throws MissingToolError naming the cure */
export function trainerPython() {
  const folder = pythonEnvironmentDir();
  if (isCompletePython(folder)) return pythonIn(folder);
  throw new MissingToolError('No Python environment for the trainer yet: run `node setup/run.mjs setup`.');
}
