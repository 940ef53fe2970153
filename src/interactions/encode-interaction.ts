import { hash } from 'node:crypto';
import { canonicalText } from './canonical-text.js';
import { storableText } from './storable-json.js';

/** Everything that was said about an interaction, with its subject hashed; null for what was not. */
export interface SaidOfInteraction {
  id: string;
  externalId: string | null;
  /** ISO 8601 in UTC. */
  timestamp: string;
  model: string;
  subject: string | null;
  session: string | null;
  version: number | null;
  latencyMs: number | null;
  request: Record<string, unknown>;
  response: Record<string, unknown> | null;
  tags: Record<string, string>;
  /** Digests of the feedback that came with it, in hex. */
  feedback: readonly string[];
}

/** What an interaction is stored as: JSON in UTF-8, as Postgres takes it, and the digest of what was said. */
export interface EncodedInteraction {
  request: Buffer;
  response: Buffer | null;
  tags: Buffer;
  digest: Buffer;
}

/** Written over by every call: an interaction is put together here once, digested, and its parts are taken out. */
let scratch = Buffer.allocUnsafeSlow(64 * 1_024);
const KEPT_SCRATCH = 1_024 * 1_024;

/**
 * Encodes an interaction once, for its digest and for Postgres: the digest is `recordDigest` of its fields, but for empty
 * tags and no feedback, which are as if they were not there.
 *
 * @throws RangeError for what is nested too deep
 */
export function encodeInteraction(said: SaidOfInteraction): EncodedInteraction {
  const request = canonicalText(said.request);
  const response = said.response === null ? '' : canonicalText(said.response);
  const tags = canonicalText(said.tags);
  const hasTags = tags !== '{}';
  // The fields in the order of their names, around the three that are needed again.
  const head =
    `{${said.externalId === null ? '' : `"external_id":${JSON.stringify(said.externalId)},`}` +
    `${said.feedback.length === 0 ? '' : `"feedback":${JSON.stringify(said.feedback)},`}"id":"${said.id}",` +
    `${said.latencyMs === null ? '' : `"latency_ms":${said.latencyMs},`}"model":${JSON.stringify(said.model)},"request":`;
  const middle =
    `${said.session === null ? '' : `,"session":${JSON.stringify(said.session)}`}` +
    `${said.subject === null ? '' : `,"subject":"${said.subject}"`}${hasTags ? ',"tags":' : ''}`;
  const tail = `,"timestamp":"${said.timestamp}"${said.version === null ? '' : `,"version":${said.version}`}}`;

  const most = 3 * (head.length + request.length + response.length + middle.length + tags.length + tail.length) + 64;
  const into = most <= scratch.length ? scratch : Buffer.allocUnsafeSlow(most);
  if (into.length <= KEPT_SCRATCH) scratch = into;
  const requestAt = into.write(head, 0);
  const requestEnd = requestAt + into.write(request, requestAt);
  const responseAt = response === '' ? requestEnd : requestEnd + into.write(',"response":', requestEnd);
  const responseEnd = responseAt + into.write(response, responseAt);
  const tagsAt = responseEnd + into.write(middle, responseEnd);
  const tagsEnd = hasTags ? tagsAt + into.write(tags, tagsAt) : tagsAt;
  const end = tagsEnd + into.write(tail, tagsEnd);
  return {
    request: storable(request, into, requestAt, requestEnd),
    response: said.response === null ? null : storable(response, into, responseAt, responseEnd),
    tags: hasTags ? storable(tags, into, tagsAt, tagsEnd) : Buffer.from('{}'),
    digest: hash('sha256', into.subarray(0, end), 'buffer'),
  };
}

function storable(text: string, bytes: Buffer, from: number, to: number): Buffer {
  const stored = storableText(text);
  return stored === text ? Buffer.from(bytes.subarray(from, to)) : Buffer.from(stored);
}
