import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnderstudyError } from '../errors.js';
import { type Policy, parsePolicy } from '../policy/index.js';
import { noRedactions } from '../redaction/index.js';
import { createCuration } from './curate.js';
import { questionKey } from './normalise.js';
import { REASONS, type Row } from './row.js';
import { STEPS } from './steps.js';

function curation(settings: Record<string, unknown> = {}): Policy['curation'] {
  const upstream = { base_url: 'http://localhost/v1', model: 'base' };
  return parsePolicy({ name: 'm', base_model: 'b', upstream, curation: settings }).curation;
}

let ids = 0;
interface Given {
  question?: string;
  answer?: unknown;
  subject?: string | null;
  feedback?: Record<string, unknown>[];
  request?: unknown;
  response?: unknown;
}
function row({
  question = 'How?',
  answer = 'So.',
  subject = null,
  feedback = [{ kind: 'thumbs', value: 1 }],
  ...bodies
}: Given = {}): Row {
  ids += 1;
  return {
    interactionId: `id-${ids}`,
    askedAt: new Date(0),
    subject,
    version: 1,
    request: bodies.request ?? { messages: [{ role: 'user', content: question }] },
    response: bodies.response ?? { choices: [{ message: { role: 'assistant', content: answer } }] },
    feedback: feedback.map(({ kind, ...body }, i) => ({ id: `${i}`, kind: kind as string, body })),
    latestFeedbackId: null,
    messages: [],
    answer: '',
    corrected: false,
    comments: [],
    redactions: noRedactions(),
  };
}

/** Reason or `kept` of each row. */
function verdicts(rows: Row[], settings: Record<string, unknown> = {}, golden: string[] = []): string[] {
  const questions = new Set(golden.map((content) => questionKey([{ role: 'user', content }])));
  const judge = createCuration(curation(settings), questions);
  return rows.map((one) => {
    const verdict = judge(one);
    return verdict.kept ? 'kept' : verdict.reason;
  });
}
function keep(given: Given, settings: Record<string, unknown> = {}): Row {
  const verdict = createCuration(curation(settings), new Set())(row(given));
  if (!verdict.kept) throw new Error(verdict.reason);
  return verdict.row;
}

describe('what can be trained on', () => {
  const user = { role: 'user', content: 'How?' };
  test.each([
    [
      'a tool call in the answer',
      { response: { choices: [{ message: { content: null, tool_calls: [{ id: '1' }] } }] } },
    ],
    [
      'a tool call in the question',
      { request: { messages: [user, { role: 'assistant', content: null, tool_calls: [{}] }, user] } },
    ],
    ['the result of a tool', { request: { messages: [user, { role: 'tool', content: '42', tool_call_id: '1' }] } }],
    [
      'an image',
      { request: { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] } },
    ],
    ['two choices', { response: { choices: [{ message: { content: 'a' } }, { message: { content: 'b' } }] } }],
    ['a refusal', { response: { choices: [{ message: { content: null, refusal: 'no' } }] } }],
    ['no user', { request: { messages: [{ role: 'system', content: 'Be nice.' }] } }],
    ['another kind of request', { request: { input: 'How?' } }],
    ['no response', { response: { error: 'away' } }],
  ])('is not %s', (_what, bodies) => {
    expect(verdicts([row(bodies)])).toEqual(['not_text']);
  });

  test('is a chat whose content comes in text parts, with instructions and earlier turns', () => {
    const request = {
      model: 'x',
      messages: [
        { role: 'developer', content: 'Be short.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'How ' },
            { type: 'text', text: 'so?' },
          ],
        },
        { role: 'assistant', content: 'Why?', tool_calls: [] },
        user,
      ],
    };
    expect(keep({ request }).messages).toEqual([
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'How so?' },
      { role: 'assistant', content: 'Why?' },
      { role: 'user', content: 'How?' },
    ]);
  });
});

test('feedback decides, and a correction takes the place of the answer', () => {
  const down = { kind: 'thumbs', value: -1 };
  expect(
    verdicts([
      row({ feedback: [] }),
      row({ feedback: [down] }),
      row({ feedback: [{ kind: 'rating', value: 3, min: 1, max: 5 }] }),
    ]),
  ).toEqual(['no_feedback', 'negative_feedback', 'negative_feedback']);
  const corrected = keep({ answer: 'wrong', feedback: [down, { kind: 'correction', value: 'right' }] });
  expect(corrected).toMatchObject({ answer: 'right', corrected: true });
  expect(keep({ answer: null, feedback: [{ kind: 'correction', value: 'right' }] }).answer).toBe('right');
});

test('a quality score below the least quality outweighs a thumbs up', () => {
  const up = { kind: 'thumbs', value: 1 };
  const scored = (value: number) =>
    row({ question: `q${value}`, feedback: [{ kind: 'score', name: 'quality', value }, up] });
  expect(verdicts([scored(0.69), scored(0.7)])).toEqual(['low_quality', 'kept']);
});

test('empty, too short and too long answers are left out', () => {
  const rows = [
    row({ answer: '' }),
    row({ answer: ' \n' }),
    row({ answer: null }),
    row({ answer: 'ab' }),
    row({ answer: 'abcdef' }),
    row({ answer: ' abc ' }),
  ];
  const bounds = { min_answer_chars: 3, max_answer_chars: 5 };
  expect(verdicts(rows, bounds)).toEqual([
    'empty_answer',
    'empty_answer',
    'empty_answer',
    'too_short',
    'too_long',
    'kept',
  ]);
});

describe('blocked patterns', () => {
  test('are found in any turn and in the answer, whatever the case', () => {
    const rows = [row({ question: 'about PROJECT X' }), row({ answer: 'project  x' }), row({ question: 'else' })];
    expect(verdicts(rows, { blocked_patterns: ['project\\s+x'] })).toEqual([
      'blocked_pattern',
      'blocked_pattern',
      'kept',
    ]);
  });

  test('that take for ever leave the row out, and end the curation when they keep doing so', {
    timeout: 30_000,
  }, () => {
    const slow = createCuration(curation({ blocked_patterns: ['(a|a)*b|(a+)+!$'] }), new Set());
    expect(slow(row({ question: 'fine' })).kept).toBe(true);
    const trap = () => row({ question: `${'a'.repeat(60)}c` });
    expect(slow(trap())).toMatchObject({ kept: false, reason: 'blocked_pattern' });
    expect(() => {
      for (let i = 0; i < 30; i++) slow(trap());
    }).toThrow(UnderstudyError);
  });
});

test('golden questions are left out whatever was answered and however they were written', () => {
  const rows = [
    row({ question: ' where is\nMY parcel? ', answer: 'elsewhere' }),
    row({ question: 'Where is my parcel now?' }),
  ];
  expect(verdicts(rows, {}, ['Where is my parcel?'])).toEqual(['golden', 'kept']);
});

test('personal data is redacted in every turn, the answer and the comments, and counted', () => {
  const feedback = [
    { kind: 'thumbs', value: 1 },
    { kind: 'comment', value: 'mail a@b.co' },
  ];
  const given = { question: 'I am a@b.co at 10.0.0.1', answer: 'Call 555-123-4567.', feedback };
  const kept = keep(given);
  expect(kept.messages[0]!.content).toBe('I am [EMAIL] at [IP]');
  expect(kept.answer).toBe('Call [PHONE].');
  expect(kept.comments).toEqual(['mail [EMAIL]']);
  expect(kept.redactions).toEqual({ EMAIL: 2, PHONE: 1, CARD: 0, SSN: 0, IP: 1 });
  expect(keep(given, { redact_pii: false }).answer).toBe('Call 555-123-4567.');
});

test('of duplicates the first one seen stays, also when only redaction made them equal', () => {
  const rows = [
    row({ question: 'Where is a@b.co?' }),
    row({ question: 'where is  C@D.ORG?' }),
    row({ question: 'Where is a@b.co?', answer: 'Else.' }),
  ];
  expect(verdicts(rows)).toEqual(['kept', 'duplicate', 'kept']);
});

test('caps count only what is kept, per subject and in all', () => {
  const of = (subject: string | null, question: string, feedback?: Record<string, unknown>[]) =>
    row({ subject, question, ...(feedback && { feedback }) });
  const rows = [
    of('a', '1'),
    of('a', '2', []),
    of('a', '2'),
    of('a', '3'),
    of(null, '4'),
    of(null, '5'),
    of('b', '6'),
    of('b', '7'),
  ];
  expect(verdicts(rows, { max_rows_per_subject: 2, max_rows: 5 })).toEqual([
    'kept',
    'no_feedback',
    'kept',
    'subject_cap',
    'kept',
    'kept',
    'kept',
    'row_cap',
  ]);
});

test('every row is either kept or left out by a known step for a known reason, and no step changes what came in', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('a@b.co', 'blocked', 'same', ''));
  const feedback = fc.oneof(
    fc.record({ kind: fc.constant('thumbs'), value: fc.constantFrom(-1, 0, 1) }),
    fc.record({ kind: fc.constant('correction'), value: text }),
    fc.record({
      kind: fc.constant('rating'),
      value: fc.integer({ min: 1, max: 5 }),
      min: fc.constant(1),
      max: fc.constant(5),
    }),
    fc.record({
      kind: fc.constant('score'),
      name: fc.constant('quality'),
      value: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  );
  const given = fc.record(
    {
      question: text,
      answer: fc.option(text),
      subject: fc.option(fc.constantFrom('a', 'b')),
      feedback: fc.array(feedback, { maxLength: 3 }),
      request: fc.jsonValue(),
    },
    { requiredKeys: ['question', 'answer', 'subject', 'feedback'] },
  );
  const settings = { blocked_patterns: ['blocked'], max_rows_per_subject: 2, max_rows: 6, max_answer_chars: 8 };
  const steps = new Set(STEPS.map(({ name }) => name));
  fc.assert(
    fc.property(fc.array(given, { maxLength: 20 }), (all) => {
      const judge = createCuration(curation(settings), new Set());
      let kept = 0;
      for (const one of all) {
        const original = row(one as Given);
        const before = JSON.stringify(original);
        const verdict = judge(original);
        expect(JSON.stringify(original)).toBe(before);
        if (verdict.kept) {
          kept += 1;
          expect(verdict.row.answer.trim()).not.toBe('');
          expect(`${verdict.row.answer}${verdict.row.messages.map(({ content }) => content)}`).not.toMatch(
            /blocked|a@b\.co/i,
          );
        } else {
          expect(steps).toContain(verdict.step);
          expect(Object.keys(REASONS)).toContain(verdict.reason);
        }
      }
      expect(kept).toBeLessThanOrEqual(6);
    }),
    { numRuns: 200 },
  );
});
