import { hashSubject, subjectInBody } from '../interactions/index.js';
import { Recent } from '../recent.js';

/** The subjects of requests, as they are stored. */
export interface Subjects {
  /**
   * The hashed subject of a request: header `x-understudy-subject`, else what the body names; null for neither.
   *
   * @param header decoded, see `decodeHeader`
   */
  of(header: string | undefined, body: Record<string, unknown>): string | null;
}

/** Remembers the hashes of the newest `kept` to twice as many subjects, in memory only: people ask more than once. */
export function openSubjects(key: string, kept = 10_000): Subjects {
  const hashes = new Recent<string>({ kept });
  return {
    of(header, body) {
      const subject = header ?? subjectInBody(body);
      if (subject === undefined) return null;
      const known = hashes.get(subject);
      if (known !== undefined) return known;
      const hash = hashSubject(key, subject);
      hashes.set(subject, hash);
      return hash;
    },
  };
}

/** Headers carry UTF-8 as bytes, which node reads as latin1: the same name in header and body must be one subject. */
export function decodeHeader(header: string | undefined): string | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  if (!/[\x80-\xff]/.test(header)) return header;
  const decoded = Buffer.from(header, 'latin1').toString('utf8');
  return decoded.includes('\ufffd') ? header : decoded;
}
