import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from './errors.js';

/** The only reader of process.env. docs/configuration.md lists every variable. */
const schema = z.object({
  DATABASE_URL: z.string().min(1).optional(),
  UNDERSTUDY_SUBJECT_KEY: z.string().min(16).optional(),
  UNDERSTUDY_ARTIFACTS: z
    .string()
    .min(1)
    .default(join(homedir(), '.understudy', 'artifacts')),
  UNDERSTUDY_SPOOL: z
    .string()
    .min(1)
    .default(join(homedir(), '.understudy', 'spool')),
  UNDERSTUDY_SPOOL_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(1_024 * 1_024 * 1_024),
  UNDERSTUDY_STATE: z
    .string()
    .min(1)
    .default(join(homedir(), '.understudy', 'state')),
  UNDERSTUDY_HOST: z.string().min(1).default('127.0.0.1'),
  UNDERSTUDY_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  UNDERSTUDY_MAX_IN_FLIGHT: z.coerce.number().int().min(1).default(5_000),
  UNDERSTUDY_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  UNDERSTUDY_FEEDBACK_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((origin) => origin.trim() || []))
    .refine((origins) => origins.every(isOrigin), 'must list origins such as https://app.example.org, or be *'),
  UNDERSTUDY_PARKED_FEEDBACK_DAYS: z.coerce.number().min(0.01).max(3_660).default(30),
  UNDERSTUDY_WATCH_INTERVAL_MS: z.coerce.number().int().min(100).max(60_000).default(10_000),
  UNDERSTUDY_READY_FILE: z.string().min(1).optional(),
});

export interface Config {
  /** Postgres connection string. */
  databaseUrl: string;
  /** Key of the HMAC under which subjects are stored; changing it makes every subject a new one. */
  subjectKey: string;
  /** Root folder of the artifact store, the same path for worker, trainer and adapter server. */
  artifacts: string;
  /** Where the gateway keeps captures while Postgres is away, and how many bytes of them at most. */
  spool: { folder: string; maxBytes: number };
  /** Where the server keeps what it needs to start while Postgres is away. */
  state: string;
  host: string;
  port: number;
  /** Requests of the gateway under way at once, streams included; more are refused with `overloaded`. */
  maxInFlight: number;
  logLevel: string;
  /** Origins whose pages may send feedback with a token; empty: this server's own only. */
  feedbackOrigins: readonly string[];
  /** How long feedback waits for its interaction, in milliseconds. */
  parkedFeedbackMs: number;
  /** How often the watch loop judges harm, in milliseconds. */
  watchIntervalMs: number;
  /** The worker writes this file once it polls; for a supervisor that waits for it. */
  readyFile: string | undefined;
}

/** `understudy dev` leaves the addresses of its parts here, so that commands given in the same folder find them. */
export const DEV_ENV_FILE = join('.understudy', 'dev.env');

/** Takes over what `understudy dev` left, unless a database is named already; variables that are set win over the file. */
export function loadDevEnvironment(): void {
  if (process.env.DATABASE_URL === undefined && existsSync(DEV_ENV_FILE)) process.loadEnvFile(DEV_ENV_FILE);
}

/** The environment, for readers of standard variables that are not ours (`TEMPORAL_*`). */
export function environment(): NodeJS.ProcessEnv {
  return process.env;
}

/** Who is at the keyboard, for the actor of a change. */
export function currentUser(): string {
  return process.env.USER ?? process.env.LOGNAME ?? 'cli';
}

/** Reads one variable that a policy refers to as `${NAME}`; throws `missing_variable`. */
export function readSecret(reference: string | null, env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (reference === null) return undefined;
  const name = reference.slice(2, -1);
  const value = env[name];
  if (!value) throw new UnderstudyError('missing_variable', { name, purpose: 'the policy of a model refers to it' });
  return value;
}

/** What server and worker need; throws `missing_variable` or `invalid_option`, naming the variable. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const values = parse(env);
  return {
    databaseUrl: required('DATABASE_URL', values.DATABASE_URL, 'it says where Postgres is'),
    subjectKey: required(
      'UNDERSTUDY_SUBJECT_KEY',
      values.UNDERSTUDY_SUBJECT_KEY,
      'subjects are stored only as HMAC under it (at least 16 characters)',
    ),
    artifacts: values.UNDERSTUDY_ARTIFACTS,
    spool: { folder: values.UNDERSTUDY_SPOOL, maxBytes: values.UNDERSTUDY_SPOOL_BYTES },
    state: values.UNDERSTUDY_STATE,
    host: values.UNDERSTUDY_HOST,
    port: values.UNDERSTUDY_PORT,
    maxInFlight: values.UNDERSTUDY_MAX_IN_FLIGHT,
    logLevel: values.UNDERSTUDY_LOG_LEVEL,
    feedbackOrigins: values.UNDERSTUDY_FEEDBACK_ORIGINS,
    parkedFeedbackMs: values.UNDERSTUDY_PARKED_FEEDBACK_DAYS * 86_400_000,
    watchIntervalMs: values.UNDERSTUDY_WATCH_INTERVAL_MS,
    readyFile: values.UNDERSTUDY_READY_FILE,
  };
}

/** What a command of the CLI may need; nothing is required here, each command says what it misses. */
export function readCliConfig(env: NodeJS.ProcessEnv = process.env) {
  const values = parse(env);
  return {
    databaseUrlIfSet: values.DATABASE_URL,
    databaseUrl: () => required('DATABASE_URL', values.DATABASE_URL, 'it says where Postgres is'),
    subjectKey: () =>
      required(
        'UNDERSTUDY_SUBJECT_KEY',
        values.UNDERSTUDY_SUBJECT_KEY,
        'subjects are stored only as HMAC under it (at least 16 characters)',
      ),
    artifacts: values.UNDERSTUDY_ARTIFACTS,
  };
}

function parse(env: NodeJS.ProcessEnv) {
  const parsed = schema.safeParse(env);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UnderstudyError('invalid_option', { option: issue?.path.join('.'), detail: issue?.message });
  }
  return parsed.data;
}

function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text);
}

function required(name: string, value: string | undefined, purpose: string): string {
  if (value === undefined) throw new UnderstudyError('missing_variable', { name, purpose });
  return value;
}
