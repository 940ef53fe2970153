import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { redact } from '../../src/redaction/index.js';

const FILE = join(process.env.UNDERSTUDY_SHARED ?? '../shared', 'data', 'presidio', 'dev.json');
const KINDS: Record<string, string> = {
  EMAIL_ADDRESS: 'EMAIL',
  PHONE_NUMBER: 'PHONE',
  CREDIT_CARD: 'CARD',
  US_SSN: 'SSN',
  IP_ADDRESS: 'IP',
};

interface Labelled {
  full_text: string;
  spans: { entity_type: string; entity_value: string; start_position: number; end_position: number }[];
}

const isThere = existsSync(FILE);
if (!isThere) console.info(`left out: the labelled texts are not there (${FILE}; set UNDERSTUDY_SHARED)`);

describe.skipIf(!isThere)('redaction of labelled texts', () => {
  const texts = isThere ? (JSON.parse(readFileSync(FILE, 'utf8')) as Labelled[]) : [];

  test.each(Object.entries(KINDS))('finds %s with recall ≥ 0.95 and precision ≥ 0.95', (type, kind) => {
    let found = 0;
    let missed = 0;
    let tooMuch = 0;
    for (const { full_text: text, spans } of texts) {
      const labelled = spans.filter(({ entity_type: one }) => one === type);
      const placeholders = redact(text).split(`[${kind}]`).length - 1;
      const survivors = labelled.filter(({ entity_value: value }) => redact(text).includes(value)).length;
      missed += survivors;
      found += labelled.length - survivors;
      tooMuch += Math.max(0, placeholders - (labelled.length - survivors));
    }
    console.info(`${kind}: ${found} of ${found + missed} found, ${tooMuch} too much`);
    expect(found / (found + missed)).toBeGreaterThanOrEqual(0.95);
    expect(found / (found + tooMuch)).toBeGreaterThanOrEqual(0.95);
  });

  test('replaces exactly the labelled spans in at least 98 % of the texts', () => {
    const exact = texts.filter(({ full_text: text, spans }) => {
      const fromTheEnd = [...spans].sort((a, b) => b.start_position - a.start_position);
      const expected = fromTheEnd.reduce((out, { entity_type: type, start_position: from, end_position: to }) => {
        return KINDS[type] ? `${out.slice(0, from)}[${KINDS[type]}]${out.slice(to)}` : out;
      }, text);
      return redact(text) === expected;
    });
    console.info(`${exact.length} of ${texts.length} texts are redacted exactly as labelled`);
    expect(exact.length / texts.length).toBeGreaterThanOrEqual(0.98);
  });
});
