import { hashSubject, subjectInBody } from '../interactions/index.js';

/**
 * The hashed subject of a request: header `x-understudy-subject`, else what the body names; null for neither.
 *
 * @param header decoded, see `decodeHeader`
 */
export function subjectOfRequest(
  key: string,
  header: string | undefined,
  body: Record<string, unknown>,
): string | null {
  const subject = header ?? subjectInBody(body);
  return subject === undefined ? null : hashSubject(key, subject);
}

/** Headers carry UTF-8 as bytes, which node reads as latin1: the same name in header and body must be one subject. */
export function decodeHeader(header: string | undefined): string | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const decoded = Buffer.from(header, 'latin1').toString('utf8');
  return decoded.includes('\ufffd') ? header : decoded;
}
