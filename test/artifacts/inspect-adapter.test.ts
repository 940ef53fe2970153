import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ArtifactStore, createLocalStore, inspectAdapter } from '../../src/artifacts/index.js';
import { UnderstudyError } from '../../src/errors.js';
import { digestOfFiles, writeTinyAdapter } from '../support/tiny-adapter.js';

let root: string;
let store: ArtifactStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-adapters-'));
  store = createLocalStore(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function failure(uri: string, sha256: string, expected: { baseModel?: string; rank?: number } = {}) {
  try {
    await inspectAdapter(store, uri, { sha256, baseModel: 'tiny/base', rank: 4, ...expected });
  } catch (error) {
    if (error instanceof UnderstudyError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

/** Stores any two files as an adapter under their right digest. */
async function writeAdapter(config: unknown, weights: Buffer) {
  const files = { 'adapter_config.json': Buffer.from(JSON.stringify(config)), 'adapter_model.safetensors': weights };
  const sha256 = digestOfFiles(files);
  await mkdir(join(root, 'adapters', sha256), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, 'adapters', sha256, name), content);
  return { uri: `artifact:adapters/${sha256}`, sha256 };
}

function safetensors(header: unknown, data: Buffer): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

const config = { peft_type: 'LORA', base_model_name_or_path: 'tiny/base', r: 4 };
const tensor = { dtype: 'F32', shape: [1], data_offsets: [0, 4] };
const weights = safetensors({ lora: tensor }, Buffer.alloc(4));

test('accepts what the reference trainer writes and answers its folder', async () => {
  const { uri, sha256 } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4 });
  const adapter = await inspectAdapter(store, uri, { sha256, baseModel: 'tiny/base', rank: 4 });
  expect(adapter).toEqual({ path: join(root, 'adapters', sha256), sha256, baseModel: 'tiny/base', rank: 4 });
});

test('refuses a digest that is not the recorded one', async () => {
  const { uri } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4 });
  expect((await failure(uri, '0'.repeat(64))).code).toBe('adapter_digest_mismatch');
});

test('refuses files that were changed after the digest was taken', async () => {
  const { uri, sha256 } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4 });
  await writeFile(join(root, 'adapters', sha256, 'adapter_model.safetensors'), weights);
  expect((await failure(uri, sha256)).code).toBe('adapter_digest_mismatch');
});

test('refuses an adapter for another base and one of another rank', async () => {
  const { uri, sha256 } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4 });
  const other = await failure(uri, sha256, { baseModel: 'tiny/other' });
  expect(other.code).toBe('adapter_base_mismatch');
  expect(other.message).toContain('tiny/other');
  expect((await failure(uri, sha256, { rank: 8 })).code).toBe('adapter_refused');
});

test.each([
  ['a pickle of the trainer', { 'training_args.bin': 'pickle' }],
  ['weights in PyTorch format', { 'adapter_model.bin': 'pickle' }],
  ['code', { 'modeling.py': 'import os' }],
])('refuses a folder that also holds %s', async (_what, extra) => {
  const { uri, sha256 } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4, extra });
  const error = await failure(uri, sha256);
  expect(error.code).toBe('adapter_refused');
  expect(error.message).toContain(Object.keys(extra)[0]);
});

test('refuses a folder in which a file is missing or is a link', async () => {
  const { uri, sha256 } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4 });
  const path = join(root, 'adapters', sha256, 'adapter_model.safetensors');
  await rm(path);
  expect((await failure(uri, sha256)).message).toContain('adapter_model.safetensors is missing');
  await symlink('/etc/hostname', path);
  expect((await failure(uri, sha256)).message).toContain('not a plain file');
});

describe('what only calls itself safetensors', () => {
  test.each([
    ['a zip of pickles', Buffer.from('PK\u0003\u0004archive/data.pkl')],
    ['a bare pickle', Buffer.from('\u0080\u0004\u0095aposix\nsystem\n')],
    ['nothing', Buffer.alloc(0)],
    ['a header that is not JSON', safetensors('not json', Buffer.alloc(0))],
    ['no tensor', safetensors({ __metadata__: {} }, Buffer.alloc(0))],
    ['a cut-off tensor', safetensors({ lora: tensor }, Buffer.alloc(3))],
    ['bytes behind the tensors', safetensors({ lora: tensor }, Buffer.alloc(99))],
    ['overlapping tensors', safetensors({ a: tensor, b: { ...tensor, data_offsets: [2, 6] } }, Buffer.alloc(6))],
  ])('is refused: %s', async (_what, content) => {
    const { uri, sha256 } = await writeAdapter(config, content);
    const error = await failure(uri, sha256);
    expect(error.code).toBe('adapter_refused');
    expect(error.message).toContain('adapter_model.safetensors');
  });
});

test.each([
  ['another method than LoRA', { ...config, peft_type: 'PROMPT_TUNING' }],
  ['whole modules', { ...config, modules_to_save: ['lm_head'] }],
  ['no rank', { peft_type: 'LORA', base_model_name_or_path: 'tiny/base' }],
])('refuses a configuration with %s', async (_what, wrong) => {
  const { uri, sha256 } = await writeAdapter(wrong, weights);
  expect((await failure(uri, sha256)).code).toBe('adapter_refused');
});

test('refuses URIs of anything but an adapter and says that one is missing', async () => {
  const { sha256 } = await writeTinyAdapter(root, { baseModel: 'tiny/base', rank: 4 });
  expect((await failure(`artifact:datasets/${sha256}`, sha256)).code).toBe('adapter_refused');
  expect((await failure('artifact:adapters/../../etc', sha256)).code).toBe('artifact_refused');
  expect((await failure(`artifact:adapters/${'1'.repeat(64)}`, '1'.repeat(64))).code).toBe('artifact_missing');
});
