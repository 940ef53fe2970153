import { Transform } from 'node:stream';
import zlib from 'node:zlib';

/** Of Node 22.15 and later. */
const native = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;

/** Unpacks zstd, of one frame or several, as it comes. Ends with an error when it is damaged or cut off. */
export async function createUnzstd(): Promise<Transform> {
  if (native !== undefined) return native();
  const { Decompress } = await import('fzstd');
  const failed = (error: unknown) => Object.assign(error as Error, { code: 'ZSTD_ERROR' });
  const transform: Transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        frames.push(chunk);
        done();
      } catch (error) {
        done(failed(error));
      }
    },
    flush(done) {
      try {
        frames.push(new Uint8Array(0), true);
        done();
      } catch (error) {
        done(failed(error));
      }
    },
  });
  // A copy: the library uses its window again.
  const frames = new Decompress((unpacked) => {
    if (unpacked.length > 0) transform.push(Buffer.from(unpacked));
  });
  return transform;
}
