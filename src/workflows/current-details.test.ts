import { describe, expect, it } from 'vitest';
import type { CycleStatus } from '../temporal/workflow-types.js';
import { currentDetails } from './current-details.js';

const START = Date.parse('2026-11-20T12:00:00Z');
const HOUR = 3_600_000;

function status(changes: Partial<CycleStatus> = {}): CycleStatus {
  return {
    model: 'desk',
    cycleId: 'c',
    trigger: 'manual',
    phase: 'experimenting',
    phases: [],
    champion: 1,
    candidate: 2,
    policyDigest: 'd',
    sandbox: false,
    dataset: { id: 'x', considered: 100, kept: 80, train: 72, validation: 8, digest: 'd' },
    training: { jobId: 'ftjob-1', steps: 10, firstLoss: 3, lastLoss: 1 },
    gate: { passed: true, summary: '0.60 against 0.50' },
    experiment: {
      id: 'e',
      startedAt: new Date(START).toISOString(),
      minEndsAt: new Date(START + 48 * HOUR).toISOString(),
      maxEndsAt: new Date(START + 120 * HOUR).toISOString(),
    },
    looks: [],
    bake: null,
    messages: [],
    needsOperator: null,
    outcome: null,
    ...changes,
  };
}

const id = 'retraining-cycle-desk';
const signal = (name: string, input: string) =>
  `temporal workflow signal --workflow-id ${id} --name ${name} --input '${input}'`;

describe('the current details', () => {
  it('offer promotion with force before the floor and without it after', () => {
    const early = currentDetails(status(), id, START + HOUR);
    expect(early).toContain(signal('promote', '{"candidate":2,"actor":"you","reason":"why","force":true}'));
    const late = currentDetails(status(), id, START + 49 * HOUR);
    expect(late).toContain(signal('promote', '{"candidate":2,"actor":"you","reason":"why"}'));
    expect(late).toContain(signal('rollback', '{"candidate":2,"actor":"you","reason":"why"}'));
    expect(late).toContain(`temporal workflow cancel --workflow-id ${id}`);
  });

  it('say for whom or for what a candidate waits that the test has decided for', () => {
    const until = '2026-11-25T12:00:00.000Z';
    const one = currentDetails(status({ approval: { since: until, until, needed: 1, by: [] } }), id, START + 49 * HOUR);
    expect(one).toContain(`**Waits for approval** until ${until}; then the champion stays.`);
    expect(one.split('--name promote')).toHaveLength(2);
    const approval = { since: until, until, needed: 2, by: ['ada'] };
    const two = currentDetails(status({ approval }), id, START + 49 * HOUR);
    expect(two).toContain('Waits for 2 approvals, 1 so far (ada)');
    const frozen = currentDetails(status({ phase: 'promoting', frozenUntil: until }), id, START + 49 * HOUR);
    expect(frozen).toContain(`**Promotes when the freeze ends**: ${until}.`);
    expect(frozen).toContain(signal('promote', '{"candidate":2,"actor":"you","reason":"why","force":true}'));
    expect(frozen).toContain('--name rollback');
  });

  it('offer the rollback in a bake, and no promotion', () => {
    const bake = { id: 'b', endsAt: new Date(START).toISOString(), checks: [] };
    const text = currentDetails(status({ phase: 'baking', bake, champion: 2 }), id, START);
    expect(text).toContain('restore the previous champion');
    expect(text).not.toContain('--name promote');
  });

  it('say first what an operator has to put right, and how to go on', () => {
    const needsOperator = {
      step: 'followTraining',
      problem: 'trainer_unreachable: gone',
      since: '2026-11-20T12:00:00Z',
    };
    const text = currentDetails(status({ needsOperator }), id, START);
    expect(text.split('\n')[2]).toContain('Needs an operator** since 2026-11-20T12:00:00Z: step `followTraining`');
    expect(text).toContain(signal('resume', '{"actor":"you"}'));
  });

  it('warn from the start of an experiment that cannot finish, and show the corrected effect at its end', () => {
    const warning = 'The experiment cannot finish in 5.0 days.';
    expect(currentDetails(status({ warning, candidate: null, experiment: null }), id, START)).toContain(
      `- **warning**: ${warning}`,
    );
    const counted = { champion: { n: 4500, x: 3600 }, challenger: { n: 500, x: 428 } };
    const figures = { z: 3, boundary: 2.15, interval: [0.02, 0.092] as [number, number] };
    const look = { k: 3, at: '2026-11-24T12:00:00Z', decision: 'promote', reason: 'significant', summary: 'Better.' };
    const estimate = { median: 0.051, interval: [-0.011, 0.089] as [number, number] };
    const text = currentDetails(status({ looks: [{ ...look, ...counted, ...figures, estimate }] }), id, START);
    expect(text).toContain('- effect, corrected for the looks: +5.1 pp (-1.1 to +8.9)');
    expect(text).not.toContain('warning');
  });

  it('show numbers, and offer nothing when it is over', () => {
    const outcome = {
      outcome: 'rejected',
      reason: 'harm',
      model: 'desk',
      cycleId: 'c',
      candidate: 2,
      champion: 1,
      evidence: {},
    } as const;
    const text = currentDetails(status({ outcome, sandbox: true }), id, START);
    expect(text).toContain('### desk: rejected (harm) · **sandbox: the 48 h floor is lifted**');
    expect(text).toContain('- dataset: 80 of 100 rows kept, 72 to train and 8 to validate');
    expect(text).toContain('loss 3 → 1');
    expect(text).not.toContain('temporal workflow');
  });
});
