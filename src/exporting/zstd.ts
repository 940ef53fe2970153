import { Transform } from 'node:stream';
import zlib from 'node:zlib';

/** Of Node 22.15 and later. */
const native = (zlib as { createZstdCompress?: () => Transform }).createZstdCompress;
/** Bytes of a frame before packing: as much as pays off, and little enough to hold. */
const FRAME = 1 << 20;

/** Packs as zstd. Without the one of Node as a row of frames, which every reader takes as one. */
export async function createZstd(): Promise<Transform> {
  if (native !== undefined) return native();
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const zstd = await Zstd.load();
  let held: Buffer[] = [];
  let size = 0;
  const frame = () => {
    const packed = Buffer.from(zstd.compress(Buffer.concat(held)));
    held = [];
    size = 0;
    return packed;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      held.push(chunk);
      size += chunk.length;
      done(null, size >= FRAME ? frame() : undefined);
    },
    flush(done) {
      done(null, size > 0 ? frame() : undefined);
    },
  });
}
