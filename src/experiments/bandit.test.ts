import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom, sumArm } from '../stats/index.js';
import { type BanditInput, type BanditSettings, decideBandit } from './bandit.js';

const settings: BanditSettings = {
  ...{ adoptAt: 0.95, dropAt: 0.05, floorAt: 1_000, minSamplesPerArm: 50, minSubjectsPerArm: 20, guardrails: [] },
};
/** People who rate once each. */
const rated = (n: number, x: number) => sumArm(Array.from({ length: n }, (_, i) => ({ e: 1, m: 1, x: i < x ? 1 : 0 })));
const look = (champion: [number, number], challenger: [number, number], more: Partial<BanditInput> = {}) =>
  decideBandit({
    ...{ settings, asOf: 2_000, last: false, share: 0.1 },
    ...{ champion: rated(...champion), challenger: rated(...challenger) },
    ...more,
  });
const counts = fc.nat(300).chain((n) => fc.tuple(fc.constant(n), fc.nat(n)));

describe('decideBandit', () => {
  it('gives the challenger the share that is its probability of being better, and never all or nothing', () => {
    expect(look([0, 0], [0, 0])).toMatchObject({ better: expect.closeTo(0.5, 9), share: 0.5, delta: null });
    expect(look([100, 80], [20, 14])).toMatchObject({ decision: 'wait', delta: expect.closeTo(-0.1, 9) });
    const behind = look([40, 30], [40, 28]);
    expect(behind.share).toBe(Math.round(behind.better * 100) / 100);
    expect(look([40, 40], [40, 5]).share).toBe(0.05);
    expect(look([40, 5], [40, 40]).share).toBe(0.5);
  });

  it('adopts and drops by the probability alone, says so, and claims no test', () => {
    expect(look([1_000, 700], [1_000, 760])).toMatchObject({ decision: 'promote', reason: 'bandit' });
    expect(look([1_000, 760], [1_000, 700])).toMatchObject({ decision: 'reject', reason: 'bandit' });
    expect(look([1_000, 700], [1_000, 705], { last: true })).toMatchObject({
      ...{ decision: 'inconclusive', reason: 'max_duration' },
      explanation: expect.stringMatching(
        /^Bandit, no test: Undecided\. Better with probability 0\.\d{3}: challenger 70\.5% of 1000/,
      ),
    });
  });

  it('decides nothing before the floor, below the sample floors or with a guardrail that is not shown, whatever the data', () => {
    fc.assert(
      fc.property(counts, counts, fc.boolean(), (champion, challenger, last) => {
        const early = look(champion, challenger, { asOf: 999, last });
        expect(early.decision).toBe(last ? 'inconclusive' : 'wait');
        const few = look(champion, [Math.min(49, challenger[0]), Math.min(49, challenger[1])], { last });
        expect(few).toMatchObject(
          last ? { decision: 'inconclusive', reason: 'not_enough_data' } : { decision: 'wait' },
        );
      }),
    );
    const guarded = { ...settings, guardrails: [{ metric: 'error_rate', margin: 0.01 } as const] };
    // Nobody asked anything: nothing is shown.
    expect(look([1_000, 700], [1_000, 800], { settings: guarded }).decision).toBe('wait');
  });

  it('says the opposite when the arms are swapped', () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        expect(look(a, b).better + look(b, a).better).toBeCloseTo(1, 6);
      }),
      { numRuns: 50 },
    );
  });

  it('takes ten ratings of one person for less than ratings of ten people', () => {
    const people = (each: number, good: number, of: number) =>
      sumArm(Array.from({ length: of }, (_, i) => ({ e: each, m: each, x: i < good ? each : 0 })));
    const many = look([200, 120], [200, 140]);
    const few = decideBandit({
      ...{ settings, asOf: 2_000, last: false, share: 0.1 },
      ...{ champion: people(10, 12, 20), challenger: people(10, 14, 20) },
    });
    expect(few.delta).toBeCloseTo(many.delta!, 9);
    expect(Math.abs(few.better - 0.5)).toBeLessThan(Math.abs(many.better - 0.5));
  });

  it('costs fewer good answers than half of the traffic on the worse arm', () => {
    const random = seededRandom(7);
    const [p, q, perLook] = [0.8, 0.6, 200];
    let lost = 0;
    for (let run = 0; run < 100; run++) {
      const arms = { champion: { n: 0, x: 0 }, challenger: { n: 0, x: 0 } };
      let share = 0.5;
      for (let k = 0; k < 5; k++) {
        for (let i = 0; i < perLook; i++) {
          const [arm, rate] = random() < share ? (['challenger', q] as const) : (['champion', p] as const);
          arms[arm].n += 1;
          if (random() < rate) arms[arm].x += 1;
          lost += p - rate;
        }
        share = look([arms.champion.n, arms.champion.x], [arms.challenger.n, arms.challenger.x], { share }).share;
      }
    }
    expect(lost / 100).toBeLessThan(0.5 * 5 * perLook * 0.5 * (p - q));
  });
});
