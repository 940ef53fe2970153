import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Policy, parsePolicy } from '../policy/index.js';
import { areCompatible, type LabelFacts, latestLabelled, nextLabel } from './version-label.js';

function policy(sections: Record<string, unknown> = {}): Policy {
  const upstream = { base_url: 'http://localhost:8901/v1', model: 'base' };
  return parsePolicy({ name: 'desk', base_model: 'tiny/base', upstream, ...sections });
}

/** Ways to make a version that differ in what comes out. */
const MAKINGS: (Policy | null)[] = [
  null,
  policy(),
  policy({ trainer: { epochs: 5 } }),
  policy({ trainer: { lora: { rank: 2 } } }),
  policy({ curation: { min_quality: 0.9 } }),
  policy({ capture: { redact_at: 'capture' } }),
];
/** Changes of a policy after which the same comes out. */
const MOVED: ((made: Policy) => Policy)[] = [
  (made) => made,
  (made) => ({ ...made, trainer: { ...made.trainer, base_url: 'http://elsewhere:1', max_duration: 1 } }),
  (made) => ({ ...made, experiment: { ...made.experiment, share: 0.3 } }),
  (made) => ({ ...made, promotion: { ...made.promotion, holdback: 0.3 } }),
];

const steps = fc.array(
  fc.record({
    base: fc.constantFrom('tiny/base', 'other/base', 'third/base'),
    making: fc.nat(MAKINGS.length - 1),
    moved: fc.nat(MOVED.length - 1),
  }),
  { minLength: 1, maxLength: 40 },
);

/** The versions of a model, one after the other, with the label that each gets. */
function labelled(given: { base: string; making: number; moved: number }[]) {
  const versions: (LabelFacts & { label: string; making: number })[] = [];
  for (const { base, making, moved } of given) {
    const made = MAKINGS[making]!;
    const facts = { baseModel: base, policy: made === null ? null : MOVED[moved]!(made) };
    versions.push({ ...facts, making, label: nextLabel(versions.at(-1) ?? null, facts) });
  }
  return versions;
}

const partsOf = (label: string) => label.split('.').map(Number) as [number, number, number];

describe('labels', () => {
  it('grow, and the number that grows says what changed', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const versions = labelled(given);
        expect(versions[0]!.label).toBe('1.0.0');
        for (const [i, next] of versions.slice(1).entries()) {
          const before = versions[i]!;
          const [major, minor, patch] = partsOf(before.label);
          const expected =
            before.baseModel !== next.baseModel
              ? [major + 1, 0, 0]
              : before.making !== next.making
                ? [major, minor + 1, 0]
                : [major, minor, patch + 1];
          expect(partsOf(next.label)).toEqual(expected);
        }
      }),
    );
  });

  it('of one major number share a base, and no two are alike', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const versions = labelled(given);
        expect(new Set(versions.map(({ label }) => label)).size).toBe(versions.length);
        for (const one of versions) {
          for (const other of versions) {
            if (areCompatible(one.label, other.label)) expect(one.baseModel).toBe(other.baseModel);
          }
        }
      }),
    );
  });

  it('are stepped on from the greatest one, in whatever order the rows come', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (given, random) => {
        const versions = labelled(given);
        const shuffled = versions
          .map((version) => ({ version, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ version }) => version);
        expect(latestLabelled([...shuffled, { label: 'v9' }])).toBe(versions.at(-1));
      }),
    );
  });

  it('that somebody wrote by hand are left out of it', () => {
    expect(latestLabelled([{ label: 'v7' }, { label: '01.2.3' }, { label: '1.2' }])).toBeNull();
    expect(nextLabel({ label: 'v7', baseModel: 'tiny/base', policy: null }, { baseModel: 'x', policy: null })).toBe(
      '1.0.0',
    );
    expect(areCompatible('v7', 'v7')).toBe(false);
  });
});
