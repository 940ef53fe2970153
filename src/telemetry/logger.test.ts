import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';

function capture() {
  const lines: string[] = [];
  return { lines, logger: createLogger('test', 'trace', { write: (line: string) => void lines.push(line) }) };
}

describe('createLogger', () => {
  it('replaces fields that may hold texts or secrets, at any depth', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('request', 'response', 'messages', 'content', 'authorization'),
        fc.array(fc.constantFrom('a', 'b', 'list'), { maxLength: 6 }),
        (field, path) => {
          const { lines, logger } = capture();
          const nested = path.reduce<Record<string, unknown>>(
            (inner, key) => (key === 'list' ? { list: [inner] } : { [key]: inner }),
            { [field]: { text: 'canary-4711' } },
          );
          logger.info(nested, 'note');
          logger.child(nested).warn('note');
          expect(lines).toHaveLength(2);
          for (const line of lines) {
            expect(line).not.toContain('canary-4711');
            expect(line).toMatch(/\[redacted\]|\[deep\]/);
          }
        },
      ),
    );
  });

  it('reduces an error to type, code and frames, because messages quote values', () => {
    const { lines, logger } = capture();
    const cause = Object.assign(new Error('Key (subject)=(canary-4711) already exists'), { code: '23505' });
    logger.error({ err: new TypeError('canary-4711\ncanary-4711', { cause }) }, 'failed');
    expect(lines[0]).not.toContain('canary-4711');
    expect(JSON.parse(lines[0] ?? '').err).toMatchObject({ type: 'TypeError', cause: { code: '23505' } });
    expect(JSON.parse(lines[0] ?? '').err.stack[0]).toContain('logger.test');
  });

  it('keeps ids and counts', () => {
    const { lines, logger } = capture();
    logger.info({ model: 'support', counts: { stored: 3 } }, 'flushed');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      name: 'test',
      model: 'support',
      counts: { stored: 3 },
      msg: 'flushed',
    });
  });
});
