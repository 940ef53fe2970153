import { describe, expect, it } from 'vitest';
import type { CustomerTotals } from './customers.js';
import { Progress } from './progress.js';
import { clock, phaseLine, statusLine } from './report.js';
import type { DemoSnapshot } from './snapshot.js';
import { beforeAfterTable, trafficLine } from './table.js';

const traffic: CustomerTotals = {
  requests: 8_200,
  failed: 3,
  failures: { '502': 1, network: 2 },
  versions: {
    '1': { asked: 6_000, right: 2_700, failed: 1, thumbs: 6_000, thumbsUp: 2_735 },
    '2': { asked: 2_197, right: 1_318, failed: 0, thumbs: 2_197, thumbsUp: 1_296 },
  },
  arms: {},
  feedback: { stored: 8_900, refused: 0, lost: 0, pending: 0, retries: 1 },
};
const snapshot: DemoSnapshot = {
  scenario: 'better',
  seed: 7,
  phase: 'experimenting',
  phaseSeconds: 41.7,
  seconds: 150,
  asking: null,
  training: null,
  experiment: {
    champion: { version: 1, n: 1_000, x: 455 },
    challenger: { version: 2, n: 990, x: 590 },
    z: 6.283,
  },
  traffic,
};

describe('statusLine', () => {
  it('shows arms and z while experimenting', () => {
    expect(statusLine(snapshot)).toBe(
      'experimenting 41s  ·  v1 455/1,000 45.5 %  ·  v2 590/990 59.6 %  ·  z 6.28  ·  8,200 requests, 3 failed',
    );
  });

  it('shows step and loss while training', () => {
    const training = { step: 120, total: 468, loss: 0.5288 };
    expect(statusLine({ ...snapshot, phase: 'training', training })).toContain('step 120 of 468  ·  loss 0.529');
    expect(statusLine({ ...snapshot, phase: 'training', training: { ...training, loss: null } })).not.toContain('loss');
  });

  it('shows how many questions were asked before the cycle', () => {
    const asking = { asked: 3_000, of: 6_000 };
    expect(statusLine({ ...snapshot, phase: 'asking', phaseSeconds: 30, asking })).toBe(
      'asking 30s  ·  3,000 of 6,000 questions (100/s)  ·  49.0 % right  ·  3 failed',
    );
  });

  it('never gets longer than the terminal is wide', () => {
    for (const width of [1, 20, 80]) expect(statusLine(snapshot, width).length).toBeLessThanOrEqual(width);
  });

  it('leaves out what is not known yet', () => {
    expect(statusLine({ ...snapshot, experiment: null })).toBe('experimenting 41s  ·  8,200 requests, 3 failed');
  });
});

describe('phaseLine', () => {
  it('is one line with name, time and what came out', () => {
    expect(phaseLine(snapshot)).toBe('experimenting    41s  v1 455/1,000 45.5 %, v2 590/990 59.6 %, z 6.28');
    expect(phaseLine({ ...snapshot, phase: 'curating', phaseSeconds: 3 })).toBe('curating          3s');
  });
});

describe('clock', () => {
  it('is short', () => {
    expect([0, 59.9, 60, 125, -1].map(clock)).toEqual(['0s', '59s', '1m00s', '2m05s', '0s']);
  });
});

describe('beforeAfterTable', () => {
  it('shows what customers saw of both versions', () => {
    expect(beforeAfterTable(traffic, { before: 1, after: 2, candidate: 2 })).toBe(
      [
        '                 version 1 (before)  version 2 (now)',
        'right answers                45.0 %           60.0 %',
        'thumbs up                    45.6 %           59.0 %',
        'answers                       6,000            2,197',
        'failed requests                   1                0',
      ].join('\n'),
    );
  });

  it('says so when the candidate was not kept, and shows dashes for what nobody saw', () => {
    const table = beforeAfterTable({ ...traffic, versions: {} }, { before: 1, after: 1, candidate: 2 });
    expect(table.split('\n')[0]).toBe('                 version 1 (before, now)  version 2 (not kept)');
    expect(table.split('\n')[1]).toMatch(/^right answers +– +–$/);
  });

  it('has one column when there was no candidate', () => {
    expect(beforeAfterTable(traffic, { before: 1, after: 1, candidate: null }).split('\n')[0]).toBe(
      '                 version 1 (before, now)',
    );
  });
});

describe('trafficLine', () => {
  it('names the causes of failures, most frequent first', () => {
    expect(trafficLine(traffic)).toBe('8,200 requests, 3 failed (network: 2, 502: 1); 8,900 ratings stored');
  });
});

describe('Progress', () => {
  const record = (isTTY: boolean) => {
    const written: string[] = [];
    return { written, stream: { isTTY, columns: 80, write: (text: string) => written.push(text) } };
  };

  it('writes one line a phase where nothing can be rewritten', () => {
    const { written, stream } = record(false);
    const progress = new Progress(stream);
    progress.update({ ...snapshot, phase: 'curating', phaseSeconds: 1 });
    progress.update({ ...snapshot, phase: 'curating', phaseSeconds: 2 });
    progress.update({ ...snapshot, phase: 'training', phaseSeconds: 0 });
    progress.print('hello');
    progress.end();
    expect(written).toEqual(['curating          2s\n', 'hello\n', 'training          0s\n']);
  });

  it('rewrites one line on a terminal and never leaves half of it behind', () => {
    const { written, stream } = record(true);
    const progress = new Progress(stream);
    progress.update({ ...snapshot, phase: 'curating', phaseSeconds: 1 });
    progress.update({ ...snapshot, phase: 'curating', phaseSeconds: 2 });
    progress.end();
    const screen = written.join('').split('\r\u001b[2K').at(-1);
    expect(screen).toBe('curating          2s\n');
  });
});
