import { createHash } from 'node:crypto';

/** The model that all of them are of. */
export const MODEL = 'bench-support';

const WORDS =
  'order account refund parcel invoice address delivery please the my a is not was when where could still since payment card number support yesterday morning shipped changed open team answer days tracking'.split(
    ' ',
  );
const DIGITS = 9;
const SUBJECTS = 50_000;
/** How many different texts there are; records beyond repeat them under new ids, times and subjects. */
const TEXTS = 4_000;

/** Places in a template that differ from record to record, in bytes. */
interface Template {
  bytes: Buffer;
  externalIdAt: number;
  timestampAt: number;
  subjectAt: number;
}

/** Records of 1.2 KB of JSON as bytes, made by writing numbers into templates: making them must not be what is measured. */
export interface Records {
  /** Record number `n` (0, 1, 2, …), always the same bytes, in a buffer that the next call for its text overwrites. */
  bytes(n: number): Buffer;
  /** The same as a value. */
  value(n: number): unknown;
}

/** @param startAt time of record 0; each next one is a millisecond later */
export function createRecords(startAt: Date): Records {
  const templates = Array.from({ length: TEXTS }, (_, index) => createTemplate(index));
  const bytes = (n: number) => {
    const { bytes, externalIdAt, timestampAt, subjectAt } = templates[n % TEXTS]!;
    bytes.write(String(n).padStart(DIGITS, '0'), externalIdAt, 'latin1');
    bytes.write(new Date(startAt.getTime() + n).toISOString(), timestampAt, 'latin1');
    bytes.write(String((n * 7_919) % SUBJECTS).padStart(DIGITS, '0'), subjectAt, 'latin1');
    return bytes;
  };
  return { bytes, value: (n) => JSON.parse(bytes(n).toString()) as unknown };
}

function createTemplate(index: number): Template {
  let state = createHash('sha256').update(`bench ${index}`).digest().readUInt32LE();
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const text = (length: number) => {
    let line = '';
    while (line.length < length) line += `${WORDS[random(WORDS.length)]} `;
    return `${line.slice(0, length - 1)}.`;
  };
  const hole = '#'.repeat(DIGITS);
  const record = {
    external_id: `app-${hole}`,
    timestamp: '2026-01-01T00:00:00.000Z',
    model: MODEL,
    subject: `user-${hole}`,
    session: `s-${random(1e9)}`,
    request: {
      model: MODEL,
      messages: [
        { role: 'system', content: text(160) },
        { role: 'user', content: `${text(180)}\n“${text(60)}”` },
      ],
      temperature: 0.2,
      max_tokens: 256,
    },
    response: {
      id: `chatcmpl-${random(1e9)}`,
      object: 'chat.completion',
      created: 1_767_225_600,
      model: 'bench-base',
      choices: [{ index: 0, message: { role: 'assistant', content: text(260), refusal: null }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 90 + random(20), completion_tokens: 50 + random(20), total_tokens: 150 },
    },
    version: 1,
    latency_ms: 200 + random(1_000),
    tags: { locale: 'en', channel: 'web' },
  };
  const bytes = Buffer.from(JSON.stringify(record));
  return {
    bytes,
    externalIdAt: bytes.indexOf(`app-${hole}`) + 4,
    timestampAt: bytes.indexOf('2026-01-01T'),
    subjectAt: bytes.indexOf(`user-${hole}`) + 5,
  };
}
