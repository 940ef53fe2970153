import { describe, expect, it } from 'vitest';
import { cpuSeconds, measure } from './measure.js';
import { parseOptions } from './options.js';
import { createReport, formatReport } from './report.js';
import { interleave, median, medians, percentile } from './statistics.js';

describe('medians', () => {
  it('are the middle value, or the mean of the two in the middle, for each number by itself', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
    expect(medians([{ a: 1, b: 9 }, { a: 3 }, { a: 2, b: 7 }])).toEqual({ a: 2, b: 8 });
  });

  it('have percentiles beside them, by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100]);
    expect(percentile([7], 0)).toBe(7);
  });
});

describe('interleave', () => {
  it('lets the contestants take turns, each run beginning with the next one', async () => {
    const order: string[] = [];
    const contestant = (name: string) => async (run: number) => {
      order.push(`${name}${run}`);
      return { figure: run };
    };
    const samples = await interleave(3, { a: contestant('a'), b: contestant('b') });
    expect(order).toEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2']);
    expect(samples.a).toEqual([{ figure: 0 }, { figure: 1 }, { figure: 2 }]);
  });
});

describe('measure', () => {
  it('says how long the work took and what the processes used meanwhile', async () => {
    const spin = async () => {
      for (const until = performance.now() + 120; performance.now() < until; );
    };
    const sample = await measure({ self: [process.pid], none: [undefined] }, spin);
    expect(sample.wall_s).toBeGreaterThan(0.1);
    expect(sample.cpu_bench_s).toBeGreaterThan(0.02);
    if (process.platform !== 'linux') return;
    expect(cpuSeconds([process.pid])).toBeGreaterThan(0.1);
    expect(sample.rss_self_mb).toBeGreaterThan(10);
    expect(sample.cpu_none_s).toBe(0);
  });
});

describe('the report', () => {
  const machine = { cpu: 'c', cores: 2, memory_gb: 8, system: 's', node: 'v20' };
  const result = {
    figures: { rows_per_s: 31_234.5678 },
    ratios: { psql: 0.456789 },
    peers: { psql: { version: '18', figure: 71_000.4 } },
    runs: 5,
    samples: { ours: [{ wall_s: 1.23456 }] },
  };

  it('has the names that programs look for, and four significant digits', () => {
    expect(createReport('ingest', result, { quick: false, machine, commit: 'abc' })).toEqual({
      name: 'ingest',
      figures: { rows_per_s: 31_230 },
      ratios: { psql: 0.4568 },
      peers: { psql: { version: '18', figure: 71_000 } },
      runs: 5,
      quick: false,
      machine,
      commit: 'abc',
      samples: { ours: [{ wall_s: 1.235 }] },
    });
  });

  it('reads well', () => {
    const text = formatReport(createReport('ingest', result, { quick: true, machine, commit: null }));
    expect(text).toBe(
      'ingest: medians of 5 runs (quick: they mean little)\n  rows_per_s    31,230\n  psql (18): 71,000; ours is 0.4568 times that',
    );
  });
});

describe('the options', () => {
  const parse = (...argv: string[]) => parseOptions(argv, ['gateway', 'ingest'], '/home/ada');

  it('name one bench', () => {
    expect(parse('--', 'ingest', '--json', 'out.json', '--runs', '3')).toEqual({
      name: 'ingest',
      json: '/home/ada/out.json',
      runs: 3,
      quick: false,
      profileDir: undefined,
    });
    expect(parse('ingest', '--quick')?.runs).toBe(1);
    expect(parse()).toBeUndefined();
    expect(parse('ingest', '--help')).toBeUndefined();
  });

  it('say what is wrong with them', () => {
    expect(() => parse('ingets')).toThrow('there is no bench ingets; there are: gateway, ingest');
    expect(() => parse('ingest', 'gateway')).toThrow('one bench at a time');
    expect(() => parse('ingest', '--runs', '0')).toThrow('--runs');
    expect(() => parse('ingest', '--fast')).toThrow('--fast');
  });
});
