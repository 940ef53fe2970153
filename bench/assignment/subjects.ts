import { randomBytes } from 'node:crypto';

/** `user`: as apps name their users, `user-1234567`. `hashed`: as our gateway stores them, 64 hexadecimal digits. */
export type SubjectKind = 'user' | 'hashed';

/** Few enough to stay in the processor's cache, where a subject that has just been read from a request is too. */
const CHUNK = 5_000;

/** Distinct subjects, made outside of what is measured: `work` gets them chunk by chunk. */
export function inChunks(count: number, kind: SubjectKind, work: (subjects: readonly string[]) => void): void {
  const salt = randomBytes(27).toString('hex');
  const name = (n: number) =>
    kind === 'user' ? `user-${10_000_000 + n}` : salt + n.toString(16).padStart(64 - salt.length, '0');
  for (let from = 0; from < count; from += CHUNK) {
    // Through bytes: a string put together of two is only joined when it is first read, which would be measured.
    const flat = (_: unknown, i: number) => Buffer.from(name(from + i), 'latin1').toString('latin1');
    work(Array.from({ length: Math.min(CHUNK, count - from) }, flat));
  }
}
