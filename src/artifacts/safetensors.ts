import { open } from 'node:fs/promises';
import { z } from 'zod';

const MAX_HEADER_BYTES = 100_000_000;

const tensor = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const header = z.record(z.string(), z.unknown());

/**
 * Checks that a file really has the safetensors layout: 8 bytes of length, a JSON header, and tensors that fill the rest
 * of the file without gap or overlap. A pickle under this name fails here. Throws an Error that completes "the file …".
 */
export async function checkSafetensors(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const length = Buffer.alloc(8);
    if (size < 8 || (await handle.read(length, 0, 8, 0)).bytesRead < 8) throw new Error('is too short for safetensors');
    const headerBytes = Number(length.readBigUInt64LE());
    if (headerBytes > MAX_HEADER_BYTES || headerBytes + 8 > size)
      throw new Error('is not safetensors (impossible header length)');
    const text = Buffer.alloc(headerBytes);
    await handle.read(text, 0, headerBytes, 8);
    const end = checkTensors(parseHeader(text));
    if (end !== size - 8 - headerBytes) throw new Error('is cut off, or holds more than its tensors');
  } finally {
    await handle.close();
  }
}

function parseHeader(text: Buffer): Record<string, unknown> {
  try {
    return header.parse(JSON.parse(text.toString('utf8')));
  } catch {
    throw new Error('is not safetensors (no JSON header)');
  }
}

/** The end of the last tensor, in bytes after the header. */
function checkTensors(header: Record<string, unknown>): number {
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  if (entries.length === 0) throw new Error('holds no tensor');
  const spans = entries.map(([, value]) => {
    const parsed = tensor.safeParse(value);
    if (!parsed.success) throw new Error('is not safetensors (a tensor without type, shape or place)');
    return parsed.data.data_offsets;
  });
  spans.sort(([a, aEnd], [b, bEnd]) => a - b || aEnd - bEnd);
  let end = 0;
  for (const [from, to] of spans) {
    if (from !== end || to < from) throw new Error('has tensors that overlap or leave gaps');
    end = to;
  }
  return end;
}
