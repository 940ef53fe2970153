import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LEAST_QUESTIONS, normalised, readDemoData } from '#setup/demo-data.mjs';
import { checkDemoOptions, usage } from '#setup/demo-options.mjs';

const folder = mkdtempSync(join(tmpdir(), 'understudy-demo-options-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

const record = (n: number, more: object = {}) => ({
  external_id: `a-${n}`,
  timestamp: '2026-11-01T12:00:00Z',
  model: 'support-router',
  subject: `user-${n % 50}`,
  request: { messages: [{ role: 'user', content: `question number ${n}` }] },
  response: { choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }] },
  feedback: [
    { kind: 'thumbs', value: -1 },
    { kind: 'correction', value: n % 2 ? 'odd' : 'even' },
  ],
  ...more,
});
const good = Array.from({ length: LEAST_QUESTIONS }, (_, n) => JSON.stringify(record(n)));

function dataFile(lines: readonly (string | Buffer)[], end = '\n'): string {
  const file = join(folder, `${files++}.jsonl`);
  writeFileSync(file, Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from(end)])));
  return file;
}
const messageOf = (...argv: string[]) => {
  const checked = checkDemoOptions(argv, { cwd: folder });
  return checked.ok ? 'ok' : checked.message;
};
/** What is said about a file whose fifth line is this one. */
const aboutLine = (line: object | string | Buffer) => {
  const lines: (string | Buffer)[] = [...good];
  lines[4] = typeof line === 'string' || Buffer.isBuffer(line) ? line : JSON.stringify(line);
  const file = dataFile(lines);
  return messageOf('--data', file).replace(file, 'FILE');
};

describe('checkDemoOptions', () => {
  it('has defaults for everything and draws a seed', () => {
    const checked = checkDemoOptions([]);
    if (!checked.ok) throw new Error(checked.message);
    const { seed, ...others } = checked.options;
    expect(others).toEqual({
      scenario: 'better',
      skipEvaluation: false,
      data: null,
      exit: false,
      json: null,
      help: false,
    });
    expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31).toBe(true);
    const again = checkDemoOptions([]);
    expect(again.ok && again.options.seed).not.toBe(seed);
  });

  it('takes all options, in both spellings, after a leading --', () => {
    const data = dataFile(good);
    const argv = ['--', '--scenario', 'harmful', '--skip-evaluation', '--seed=7', '--exit', '--json', 'out.json'];
    expect(checkDemoOptions([...argv, '--data', data], { cwd: folder })).toEqual({
      ok: true,
      options: {
        scenario: 'harmful',
        skipEvaluation: true,
        seed: 7,
        data,
        exit: true,
        json: join(folder, 'out.json'),
        help: false,
      },
    });
  });

  it.each([
    [['--scenario', 'best'], /^--scenario must be one of better, no-better, harmful, rollback$/],
    [['--seed', 'x'], /^--seed must be a whole number from 0 to 2147483647$/],
    [['--seed', '2147483648'], /^--seed must be/],
    [['--seed', '1.5'], /^--seed must be/],
    [['--seed'], /--seed/],
    [['--seed', '1', '--seed', '2'], /^--seed is given twice$/],
    [['--speed', '2'], /--speed/],
    [['better'], /better/],
    [['--json', 'no/such/out.json'], /^--json: there is no folder .*no\/such$/],
    [['--json', '.'], /is a folder$/],
    [['--json', ''], /^--json needs the path of a file$/],
    [['--data', 'none.jsonl'], /^cannot read .*none\.jsonl: ENOENT$/],
    [['--data', '.'], /^cannot read .*: EISDIR$/],
  ])('refuses %j', (argv, message) => {
    expect(messageOf(...argv)).toMatch(message);
  });

  it('explains all options in the usage', () => {
    for (const option of ['--scenario', '--skip-evaluation', '--data', '--seed', '--exit', '--json', '--help']) {
      expect(usage).toContain(option);
    }
    expect(checkDemoOptions(['--help'])).toMatchObject({ ok: true, options: { help: true } });
  });
});

describe('a data file', () => {
  it('is right with Windows line ends, a byte order mark, empty lines and no line end at the end', () => {
    expect(messageOf('--data', dataFile(good, '\r\n'))).toBe('ok');
    const file = join(folder, 'bom.jsonl');
    writeFileSync(file, `\uFEFF${good.join('\n')}\n\n${good[0]}`);
    expect(messageOf('--data', file)).toBe('ok');
    expect(readDemoData(file)).toHaveLength(LEAST_QUESTIONS + 1);
  });

  it('may hold everything an export holds', () => {
    const exported = {
      id: '0199a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b',
      session: 's-1',
      version: 2,
      latency_ms: 41,
      tags: { locale: 'en' },
      experiment: 'e-1',
      arm: 'challenger',
      assigned_version: 2,
      status: 'complete',
    };
    expect(aboutLine(record(4, exported))).toBe('ok');
  });

  it.each([
    ['not JSON', '{"secret words'],
    ['not JSON', '{} {}'],
    ['not a JSON object', '[]'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['"surprise" is no field of an interaction record', record(4, { surprise: 1 })],
    ['"constructor" is no field of an interaction record', record(4, { constructor: 1 })],
    ['timestamp is missing', record(4, { timestamp: undefined })],
    [
      'timestamp must be a date and time with its zone, such as 2026-11-01T12:00:00Z',
      record(4, { timestamp: '2026-11-01' }),
    ],
    ['model must be 1 to 64 of the characters a-z 0-9 . _ -', record(4, { model: 'My Model' })],
    ['id or external_id is needed', record(4, { external_id: undefined })],
    ['id must be a UUID of version 7', record(4, { id: '0199a1b2-c3d4-4e5f-8a6b-0c1d2e3f4a5b' })],
    ['request must be an object with a list of messages', record(4, { request: { messages: [] } })],
    [
      'request.messages has no message of the user',
      record(4, { request: { messages: [{ role: 'system', content: 'x' }] } }),
    ],
    [
      "the user's last message must be a text that is not empty",
      record(4, { request: { messages: [{ role: 'user', content: ' ' }] } }),
    ],
    ['version must be a whole number from 1 on', record(4, { version: 0 })],
    ['latency_ms must be a number that is not negative', record(4, { latency_ms: -1 })],
    ['tags must be an object of texts', record(4, { tags: { a: 1 } })],
    ['feedback must be a list', record(4, { feedback: {} })],
    ['feedback[0] is not an object', record(4, { feedback: [null] })],
    ['feedback[0] is no right thumbs', record(4, { feedback: [{ kind: 'thumbs', value: 2 }] })],
    ['feedback[0] is no right correction', record(4, { feedback: [{ kind: 'correction', value: 7 }] })],
    [
      'feedback has no correction: the demo needs one as the right answer',
      record(4, { feedback: [{ kind: 'thumbs', value: 1 }] }),
    ],
    ['feedback has no correction: the demo needs one as the right answer', record(4, { feedback: undefined })],
  ])('is refused with the number of its first wrong line: %s', (message, line) => {
    expect(aboutLine(line)).toBe(`FILE, line 5: ${message}`);
  });

  it('never quotes a conversation', () => {
    expect(aboutLine('{"request": "my secret words"')).not.toContain('secret');
    expect(aboutLine(record(4, { request: 'my secret words' }))).not.toContain('secret');
    expect(aboutLine(record(4, { feedback: [{ kind: 'my secret words' }] }))).not.toContain('secret');
  });

  it('needs enough different questions, and says how many', () => {
    const short = dataFile(good.slice(1));
    expect(messageOf('--data', short)).toBe(
      `${short} has 3599 different questions; at least 3600 are needed: ` +
        '1200 build the base, 400 are golden, 1500 are asked before the cycle and 500 after it',
    );
    const copies = good.slice(1).concat(JSON.stringify(record(1, { external_id: 'copy' })));
    expect(messageOf('--data', dataFile(copies))).toContain('has 3599 different questions');
    expect(messageOf('--data', dataFile([]))).toContain('has 0 different questions');
  });

  it('needs different answers', () => {
    const same = good.map((_, n) => JSON.stringify(record(n, { feedback: [{ kind: 'correction', value: 'same' }] })));
    expect(messageOf('--data', dataFile(same))).toContain('all corrections are the same');
  });

  it('is checked within a second at 20 MB', () => {
    const long = 'lorem ipsum '.repeat(150);
    const lines = Array.from({ length: 10_000 }, (_, n) => JSON.stringify(record(n, { tags: { long } })));
    lines[9_999] = '{';
    const file = dataFile(lines);
    // The processor's time and not the clock's: other tests run beside this one.
    const started = process.cpuUsage();
    expect(messageOf('--data', file)).toBe(`${file}, line 10000: not JSON`);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(1);
  });
});

describe('readDemoData', () => {
  it('gives the last message of the user, the last correction that stands, and who asked', () => {
    mkdirSync(join(folder, 'sub'), { recursive: true });
    const messages = [
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'no' },
      { role: 'user', content: ' second ' },
    ];
    const feedback = [
      { kind: 'correction', value: 'old' },
      { kind: 'correction', value: ' right ' },
      { kind: 'correction', retracted: true },
    ];
    const { subject: _, ...anonymous } = record(1);
    const file = dataFile([
      ...good,
      JSON.stringify(record(0, { request: { messages }, feedback })),
      JSON.stringify(anonymous),
    ]);
    const questions = readDemoData(file);
    expect(questions.at(-2)).toEqual({ text: ' second ', intent: 'right', subject: 'user-0' });
    expect(questions.at(-1)).toEqual({ text: 'question number 1', intent: 'odd' });
  });

  it('throws what the check says', () => {
    expect(() => readDemoData(dataFile(['{']))).toThrow('line 1: not JSON');
  });
});

describe('normalised', () => {
  it('ignores case, punctuation, width and spacing, and nothing else', () => {
    expect(normalised('  Where IS—my ｐarcel?? ')).toBe('where is my parcel');
    expect(normalised('Où est 24-7')).toBe('où est 24 7');
    expect(normalised('???')).toBe('???');
  });
});
