// Reads the demo's `--data FILE`: interaction records, one JSON object a line, whose correction is the right answer.
// Plain JavaScript without dependencies: it runs before anything is installed.

import { closeSync, openSync, readSync } from 'node:fs';

/** How many questions of a file go where; `asked` is the most that is asked before the cycle. */
export const PARTS = { base: 1200, golden: 400, asked: 6000, leastAsked: 1500, leastRest: 500 };

/** The least number of different questions a file must have. */
export const LEAST_QUESTIONS = PARTS.base + PARTS.golden + PARTS.leastAsked + PARTS.leastRest;

const CHUNK = 1 << 20;
const LONGEST_LINE = 8 << 20;

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)$/;
const MODEL = /^[a-z0-9._-]{1,64}$/;

/**
 * A text as it is compared with others: lower case, only letters and numbers, single spaces. Two questions with the
 * same normalised text are one question. A text without letters and numbers is compared as it is.
 */
export function normalised(text) {
  const plain = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  return plain === '' ? text.trim() : plain;
}

/**
 * Walks through the file, a megabyte in memory at a time, and stops at the first wrong line.
 *
 * @param {string} file
 * @param {(question: {text: string, intent: string, subject?: string}) => void} [take] gets every question
 * @returns {{ok: true, rows: number, distinct: number, intents: number} | {ok: false, message: string}} the message
 *   names the line and never quotes what stands in it
 */
export function checkDemoData(file, take) {
  const texts = new Set();
  const intents = new Set();
  let rows = 0;
  try {
    for (const { number, bytes } of lines(file)) {
      const read = readQuestion(bytes);
      if (read === null) continue;
      if (typeof read === 'string') return { ok: false, message: `${file}, line ${number}: ${read}` };
      rows += 1;
      texts.add(normalised(read.text));
      intents.add(read.intent);
      take?.(read);
    }
  } catch (error) {
    return { ok: false, message: `cannot read ${file}: ${error.code ?? error.message}` };
  }
  if (texts.size < LEAST_QUESTIONS) {
    const { base, golden, leastAsked, leastRest } = PARTS;
    const why = `${base} build the base, ${golden} are golden, ${leastAsked} are asked before the cycle and ${leastRest} after it`;
    return {
      ok: false,
      message: `${file} has ${texts.size} different questions; at least ${LEAST_QUESTIONS} are needed: ${why}`,
    };
  }
  if (intents.size < 2) {
    return { ok: false, message: `${file}: all corrections are the same; at least two different answers are needed` };
  }
  return { ok: true, rows, distinct: texts.size, intents: intents.size };
}

/**
 * All questions of a file, in its order, repeated texts included.
 *
 * @returns {{text: string, intent: string, subject?: string}[]}
 * @throws Error with the message of `checkDemoData` when the file is not right
 */
export function readDemoData(file) {
  const questions = [];
  const checked = checkDemoData(file, (question) => questions.push(question));
  if (!checked.ok) throw new Error(checked.message);
  return questions;
}

/** @returns the question; what is wrong with the line, in words; or null for an empty line */
function readQuestion(bytes) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'not UTF-8';
  }
  if (text.trim() === '') return null;
  let record;
  try {
    record = JSON.parse(text);
  } catch {
    return 'not JSON'; // the parser's own message would quote the conversation
  }
  const wrong = wrongWithRecord(record);
  if (wrong) return wrong;
  const asked = record.request.messages.findLast((message) => message.role === 'user');
  if (!asked) return 'request.messages has no message of the user';
  if (!isText(asked.content)) return "the user's last message must be a text that is not empty";
  const correction = record.feedback?.findLast((item) => item.kind === 'correction' && item.retracted !== true);
  if (!correction) return 'feedback has no correction: the demo needs one as the right answer';
  const question = { text: asked.content, intent: correction.value.trim() };
  return record.subject === undefined || record.subject === null ? question : { ...question, subject: record.subject };
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string' && value.trim() !== '';
const isTextOrNull = (value) => value === null || isText(value);
const isWhole = (value) => Number.isSafeInteger(value) && value >= 1;
const isTimestamp = (value) => typeof value === 'string' && TIMESTAMP.test(value) && !Number.isNaN(Date.parse(value));

/** Every field of an interaction record: what it must be, in a test and in words. */
const FIELDS = {
  id: [(value) => typeof value === 'string' && UUID_V7.test(value), 'a UUID of version 7'],
  external_id: [isText, 'a text that is not empty'],
  timestamp: [isTimestamp, 'a date and time with its zone, such as 2026-11-01T12:00:00Z'],
  model: [(value) => typeof value === 'string' && MODEL.test(value), '1 to 64 of the characters a-z 0-9 . _ -'],
  subject: [isTextOrNull, 'a text that is not empty'],
  session: [isTextOrNull, 'a text that is not empty'],
  request: [(value) => isObject(value) && isMessages(value.messages), 'an object with a list of messages'],
  response: [(value) => value === null || (isObject(value) && Array.isArray(value.choices)), 'an object with choices'],
  version: [(value) => value === null || isWhole(value), 'a whole number from 1 on'],
  latency_ms: [(value) => value === null || (Number.isFinite(value) && value >= 0), 'a number that is not negative'],
  tags: [
    (value) => isObject(value) && Object.values(value).every((tag) => typeof tag === 'string'),
    'an object of texts',
  ],
  feedback: [Array.isArray, 'a list'],
  experiment: [isTextOrNull, 'a text'],
  arm: [(value) => [null, 'champion', 'challenger'].includes(value), 'champion or challenger'],
  assigned_version: [(value) => value === null || isWhole(value), 'a whole number from 1 on'],
  status: [(value) => ['complete', 'incomplete', 'failed'].includes(value), 'complete, incomplete or failed'],
};

function isMessages(value) {
  return Array.isArray(value) && value.length > 0 && value.every((item) => isObject(item) && isText(item.role));
}

function wrongWithRecord(record) {
  if (!isObject(record)) return 'not a JSON object';
  for (const [name, value] of Object.entries(record)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (!field) return `${JSON.stringify(name.slice(0, 40))} is no field of an interaction record`;
    if (!field[0](value)) return `${name} must be ${field[1]}`;
  }
  for (const name of ['timestamp', 'model', 'request']) {
    if (record[name] === undefined) return `${name} is missing`;
  }
  if (record.id === undefined && record.external_id === undefined) return 'id or external_id is needed';
  for (const [index, item] of (record.feedback ?? []).entries()) {
    const wrong = wrongWithFeedback(item);
    if (wrong) return `feedback[${index}] ${wrong}`;
  }
  return null;
}

/** What each kind of feedback carries besides the fields they all may have. */
const KINDS = {
  thumbs: (item) => [-1, 0, 1].includes(item.value),
  rating: ({ value, min, max }) =>
    [value, min, max].every(Number.isFinite) && min < max && value >= min && value <= max,
  correction: (item) => isText(item.value),
  preference: (item) => typeof item.chosen === 'string' && typeof item.rejected === 'string',
  comment: (item) => typeof item.value === 'string',
  score: (item) => isText(item.name) && Number.isFinite(item.value),
  edited: (item) => typeof item.value === 'string',
  copied: () => true,
  regenerated: () => true,
};

function wrongWithFeedback(item) {
  if (!isObject(item)) return 'is not an object';
  if (!Object.hasOwn(KINDS, item.kind)) return `has no kind of feedback: ${Object.keys(KINDS).join(', ')}`;
  if (item.retracted === true) return null;
  return KINDS[item.kind](item) ? null : `is no right ${item.kind}`;
}

/** The lines of a file with their numbers, from 1 on, without ever holding more than one line and one chunk. */
function* lines(file) {
  const handle = openSync(file, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let rest = [];
    let restSize = 0;
    let number = 0;
    for (let size = readSync(handle, chunk); size > 0; size = readSync(handle, chunk)) {
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0 && end < size; end = chunk.indexOf(10, from)) {
        number += 1;
        yield { number, bytes: joined(rest, chunk.subarray(from, end)) };
        rest = [];
        restSize = 0;
        from = end + 1;
      }
      restSize += size - from;
      if (restSize > LONGEST_LINE) throw new Error(`line ${number + 1} is longer than ${LONGEST_LINE >> 20} MB`);
      if (from < size) rest.push(Buffer.from(chunk.subarray(from, size)));
    }
    if (rest.length > 0) yield { number: number + 1, bytes: joined(rest, Buffer.alloc(0)) };
  } finally {
    closeSync(handle);
  }
}

function joined(rest, last) {
  return rest.length === 0 ? last : Buffer.concat([...rest, last]);
}
