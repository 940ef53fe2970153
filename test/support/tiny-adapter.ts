import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface TinyAdapter {
  uri: string;
  sha256: string;
  base_model: string;
  rank: number;
}

/**
 * Writes a valid PEFT adapter with one small LoRA pair into `<root>/adapters/<digest>/`, as the reference trainer does.
 * `seed` decides the weights, so that equal seeds have equal digests. `extra` adds files that an adapter must not have.
 */
export async function writeTinyAdapter(
  root: string,
  options: { baseModel: string; rank: number; seed?: string; extra?: Record<string, string>; weights?: Buffer },
): Promise<TinyAdapter> {
  const { baseModel, rank, seed = 'seed' } = options;
  const files: Record<string, Buffer> = {
    'adapter_config.json': Buffer.from(
      `${JSON.stringify(
        {
          base_model_name_or_path: baseModel,
          bias: 'none',
          inference_mode: true,
          lora_alpha: rank * 2,
          lora_dropout: 0,
          modules_to_save: null,
          peft_type: 'LORA',
          r: rank,
          target_modules: ['q_proj'],
          task_type: 'CAUSAL_LM',
        },
        null,
        2,
      )}\n`,
    ),
    'adapter_model.safetensors': options.weights ?? safetensors(rank, seed),
  };
  const sha256 = digestOfFiles(files);
  for (const [name, text] of Object.entries(options.extra ?? {})) files[name] = Buffer.from(text);
  const draft = join(root, 'adapters', `.draft-${process.pid}-${Math.random().toString(36).slice(2)}`);
  await mkdir(draft, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(draft, name), content);
  await rename(draft, join(root, 'adapters', sha256)).catch((error: NodeJS.ErrnoException) => {
    // The same adapter was written before: content-addressed, so what is there is what would be written.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  return { uri: `artifact:adapters/${sha256}`, sha256, base_model: baseModel, rank };
}

/** SHA-256 of the lines `<sha256>  <name>\n`, sorted by name. */
export function digestOfFiles(files: Record<string, Buffer>): string {
  const lines = Object.keys(files)
    .sort()
    .map((name) => `${createHash('sha256').update(files[name]!).digest('hex')}  ${name}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** One LoRA pair (A: rank × 4, B: 4 × rank) of float32 in the safetensors layout: length, JSON header, data. */
function safetensors(rank: number, seed: string): Buffer {
  const bytes = rank * 4 * 4;
  const prefix = 'base_model.model.model.layers.0.self_attn.q_proj';
  const header = Buffer.from(
    JSON.stringify({
      __metadata__: { format: 'pt' },
      [`${prefix}.lora_A.weight`]: { dtype: 'F32', shape: [rank, 4], data_offsets: [0, bytes] },
      [`${prefix}.lora_B.weight`]: { dtype: 'F32', shape: [4, rank], data_offsets: [bytes, bytes * 2] },
    }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = Buffer.alloc(bytes * 2);
  for (let i = 0; i < data.length; i += 4) {
    data.writeFloatLE(createHash('sha256').update(`${seed}/${i}`).digest().readInt8(0) / 1_000, i);
  }
  return Buffer.concat([length, header, data]);
}
