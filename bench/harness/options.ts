import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface BenchOptions {
  name: string;
  json: string | undefined;
  runs: number;
  quick: boolean;
  profileDir: string | undefined;
}

export const usage = `Usage: npm run bench -- NAME [options]

  --json FILE     write the result as JSON
  --runs N        runs of ours and of each peer (default 5, with --quick 1)
  --quick         smaller, to see that everything works
  --profile DIR   our server leaves CPU profiles there; slows it down`;

/**
 * The arguments of `npm run bench`; undefined when help was asked for, or nothing.
 *
 * @param cwd what paths are relative to
 * @throws Error with a sentence about what is wrong
 */
export function parseOptions(argv: readonly string[], names: readonly string[], cwd: string): BenchOptions | undefined {
  const { values, positionals } = parseArgs({
    args: argv[0] === '--' ? argv.slice(1) : [...argv],
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      runs: { type: 'string' },
      quick: { type: 'boolean' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [name, ...more] = positionals;
  if (values.help || name === undefined) return undefined;
  if (more.length > 0) throw new Error('one bench at a time');
  if (!names.includes(name)) throw new Error(`there is no bench ${name}; there are: ${names.join(', ')}`);
  const runs = Number(values.runs ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(runs) || runs < 1 || runs > 99) throw new Error('--runs must be a whole number from 1 to 99');
  return {
    name,
    json: values.json === undefined ? undefined : resolve(cwd, values.json),
    runs,
    quick: values.quick ?? false,
    profileDir: values.profile === undefined ? undefined : resolve(cwd, values.profile),
  };
}
