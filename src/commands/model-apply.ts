import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { parse, YAMLParseError } from 'yaml';
import { UnderstudyError } from '../errors.js';
import { applyModel } from '../registry/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

/** Creates or changes a model from its policy and shows what changed. */
export async function modelApply(options: { file: string; actor: string; json?: boolean }): Promise<void> {
  const document = parseYaml(await read(options.file));
  const result = await withDb((db) => applyModel(db, document, { actor: options.actor }));
  show(options.json ?? false, { name: result.policy.name, result: result.result, diff: result.diff }, () => {
    const name = result.policy.name;
    if (result.result === 'created') return `Created ${name}: version 1 (${result.policy.upstream.model}) answers.`;
    if (result.result === 'unchanged') return `${name} is unchanged.`;
    const lines = result.diff.map(
      (change) => `  ${change.path}: ${JSON.stringify(change.before)} → ${JSON.stringify(change.after)}`,
    );
    return [`Changed ${name}; the next cycle uses it:`, ...lines].join('\n');
  });
}

async function read(file: string): Promise<string> {
  if (file === '-') return readText(process.stdin);
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UnderstudyError('invalid_option', { option: '--file', detail: `${file} cannot be read (${error.code})` });
  });
}

function parseYaml(source: string): unknown {
  try {
    return parse(source);
  } catch (error) {
    if (error instanceof YAMLParseError) throw new UnderstudyError('invalid_policy', { detail: error.message });
    throw error;
  }
}
