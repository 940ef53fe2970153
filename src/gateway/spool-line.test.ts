import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeLine, encodeLine } from './spool-line.js';

const text = fc.json().map((value) => JSON.stringify(JSON.parse(value)));
const whole = (value: string) => encodeLine(value).subarray(0, -1);

it('gives back every text, on one line', () => {
  fc.assert(
    fc.property(text, (value) => {
      expect(decodeLine(whole(value))).toBe(value);
      expect(encodeLine(value).indexOf(0x0a)).toBe(encodeLine(value).length - 1);
    }),
  );
});

it('takes no line that was cut or in which a byte was changed', () => {
  fc.assert(
    fc.property(text, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
      const line = whole(value);
      const at = place % line.length;
      expect(decodeLine(line.subarray(0, at))).toBeUndefined();
      const changed = Buffer.from(line);
      changed[at] = changed[at]! ^ change;
      expect(decodeLine(changed)).toBeUndefined();
    }),
  );
});

it('takes no other bytes and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(decodeLine(Buffer.from(bytes))).toBeUndefined();
    }),
  );
});
