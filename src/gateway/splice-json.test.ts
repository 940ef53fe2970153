import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spliceMember } from './splice-json.js';

describe('spliceMember', () => {
  it('replaces exactly one top-level member of any object', () => {
    const object = fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('model', 'id', '"', '\\', 'messages')),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1, '\t'), fc.string(), (value, indent, name) => {
        const text = JSON.stringify(value, null, indent);
        const expected = { ...(JSON.parse(text) as object), model: name };
        expect(JSON.parse(spliceMember(text, 'model', name))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves every other byte as it was', () => {
    const text = '{ "seed": 12345678901234567890, "t":1.0,"model" : "a\\"}b" ,"x":{"model":"inner"}, "e":1E400 }';
    expect(spliceMember(text, 'model', 'm')).toBe(
      '{ "seed": 12345678901234567890, "t":1.0,"model" : "m" ,"x":{"model":"inner"}, "e":1E400 }',
    );
  });

  it('finds a member behind an escaped name, replaces both of two, and adds an absent one', () => {
    expect(spliceMember('{"\\u006dodel":"a"}', 'model', 'm')).toBe('{"\\u006dodel":"m"}');
    expect(spliceMember('{"model":"a","model":["b",{}]}', 'model', 'm')).toBe('{"model":"m","model":"m"}');
    expect(spliceMember(' {} ', 'id', 'x')).toBe(' {"id":"x"} ');
    expect(spliceMember('{\n"a":1}', 'id', 'x')).toBe('{"id":"x",\n"a":1}');
  });
});
