// The demo's command line. Plain JavaScript without dependencies: wrong options and wrong data are told within a
// second, before anything is downloaded or started.

import { randomInt } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkDemoData } from './demo-data.mjs';

export const SCENARIOS = ['better', 'no-better', 'harmful', 'rollback'];

/** Seeds fit into 31 bits, so that every part (Python, Postgres, the generator) can take them. */
const LARGEST_SEED = 2 ** 31 - 1;

export const usage = `Usage: npm run demo -- [options]

One retraining cycle for real: live traffic, training, an A/B test, a decision.

  --scenario NAME     ${SCENARIOS.join(' | ')} (default better)
  --skip-evaluation   no golden questions before the A/B test: live traffic has to find a harmful version
  --data FILE         ask the questions of these interaction records (JSON lines), corrections are the right answers
  --seed N            0 to ${LARGEST_SEED}; drives customers, training and assignment (default: random, printed)
  --exit              leave when the cycle has ended; otherwise stay up until Ctrl-C
  --json FILE         write the result as JSON
  --help              show this`;

const OPTIONS = {
  scenario: { type: 'string' },
  'skip-evaluation': { type: 'boolean' },
  data: { type: 'string' },
  seed: { type: 'string' },
  exit: { type: 'boolean' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
};

/**
 * Parses and checks everything that can be wrong, the data file line by line included (10,000 lines in well under a
 * second). Starts nothing, writes nothing, never throws.
 *
 * @param {string[]} argv the arguments after the command, a leading `--` allowed
 * @param {{cwd?: string}} [where] what relative paths are relative to
 * @returns {{ok: true, options: import('./demo-options.mjs').DemoOptions} | {ok: false, message: string}}
 */
export function checkDemoOptions(argv, { cwd = callersFolder() } = {}) {
  try {
    const values = parse(argv[0] === '--' ? argv.slice(1) : argv);
    const options = {
      scenario: scenario(values.scenario ?? 'better'),
      skipEvaluation: values['skip-evaluation'] ?? false,
      seed: values.seed === undefined ? randomInt(LARGEST_SEED + 1) : seed(values.seed),
      data: values.data === undefined ? null : path('data', values.data, cwd),
      exit: values.exit ?? false,
      json: values.json === undefined ? null : jsonTarget(path('json', values.json, cwd)),
      help: values.help ?? false,
    };
    if (!options.help && options.data !== null) {
      const checked = checkDemoData(options.data);
      if (!checked.ok) return checked;
    }
    return { ok: true, options };
  } catch (error) {
    if (error instanceof WrongOption) return { ok: false, message: error.message };
    if (String(error.code).startsWith('ERR_PARSE_ARGS')) return { ok: false, message: firstSentence(error.message) };
    throw error;
  }
}

class WrongOption extends Error {}

function parse(argv) {
  const { values, tokens } = parseArgs({ args: argv, options: OPTIONS, strict: true, tokens: true });
  const seen = new Set();
  for (const { kind, name } of tokens) {
    if (kind !== 'option') continue;
    if (seen.has(name)) throw new WrongOption(`--${name} is given twice`);
    seen.add(name);
  }
  return values;
}

function scenario(name) {
  if (SCENARIOS.includes(name)) return name;
  throw new WrongOption(`--scenario must be one of ${SCENARIOS.join(', ')}`);
}

function seed(text) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= LARGEST_SEED) return value;
  throw new WrongOption(`--seed must be a whole number from 0 to ${LARGEST_SEED}`);
}

function path(name, text, cwd) {
  if (text.trim() === '') throw new WrongOption(`--${name} needs the path of a file`);
  return resolve(cwd, text);
}

/** The result is written at the end: find out now whether that can work. */
function jsonTarget(file) {
  const folder = dirname(file);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new WrongOption(`--json: there is no folder ${folder}`);
  }
  const present = statSync(file, { throwIfNoEntry: false });
  if (present?.isDirectory()) throw new WrongOption(`--json: ${file} is a folder`);
  try {
    accessSync(present ? file : folder, constants.W_OK);
  } catch {
    throw new WrongOption(`--json: ${file} cannot be written`);
  }
  return file;
}

/** `npm run` starts scripts in the project's folder and keeps the folder it was called in aside. */
function callersFolder() {
  const { npm_lifecycle_event: script, INIT_CWD: called } = process.env;
  return script === 'demo' && called ? called : process.cwd();
}

function firstSentence(text) {
  return text.split(/\. |\n/)[0];
}
