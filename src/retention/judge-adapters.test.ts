import fc from 'fast-check';
import { expect, it } from 'vitest';
import { judgeAdapters } from './judge-adapters.js';

const asOf = new Date('2026-11-20T12:00:00Z');
const DAY = 86_400_000;

const models = fc.record({
  rows: fc
    .array(fc.record({ state: fc.constantFrom('candidate', 'archived', 'rejected'), days: fc.nat(200) }), {
      maxLength: 30,
    })
    .map((given) =>
      given
        .map(({ state, days }, i) => ({ version: i + 2, state, lastUsed: new Date(asOf.getTime() - days * DAY) }))
        .sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime()),
    ),
  needed: fc
    .array(fc.integer({ min: 2, max: 31 }))
    .map((list) => new Map(list.map((version) => [version, 'champion']))),
  keep: fc.nat(10),
  days: fc.nat(120),
});

it('lets go exactly what is needed by nothing, not among the newest that may serve, and not used lately', () => {
  fc.assert(
    fc.property(models, ({ rows, needed, keep, days }) => {
      const judged = judgeAdapters(rows, { keep, for: days * DAY }, needed, asOf);
      expect(judged.map(([row]) => row)).toEqual(rows);
      for (const [row, why] of judged) {
        const before = rows.slice(0, rows.indexOf(row)).filter(({ state }) => state !== 'rejected').length;
        const newest = row.state !== 'rejected' && before < keep;
        const recent = asOf.getTime() - row.lastUsed.getTime() < days * DAY;
        expect([row, why === null]).toEqual([row, !needed.has(row.version) && !newest && !recent]);
      }
    }),
  );
});
