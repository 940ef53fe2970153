import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { closeCycle, openCycle, readCycle, readLiveCycle, recordPhase } from '../../src/cycles/index.js';
import { digestOf, parsePolicy } from '../../src/policy/index.js';
import { useTestDatabase } from '../support/database.js';
import { quickPolicy, seedModel } from '../support/experiment-data.js';

const database = await useTestDatabase();
const { db } = database;

const at = (seconds: number) => new Date(Date.parse('2026-11-20T12:00:00Z') + seconds * 1_000);

function run(
  model: string,
  seconds: number,
  more: { runId?: string; originalRunId?: string; workflowId?: string } = {},
) {
  const runId = more.runId ?? randomUUID();
  return {
    model,
    workflowId: `retraining-cycle-${model}`,
    runId,
    originalRunId: runId,
    trigger: 'manual',
    overrides: {},
    asOf: at(seconds),
    ...more,
  };
}

async function opened(input: Parameters<typeof openCycle>[1]) {
  const answer = await openCycle(db, input);
  if (!answer.opened) throw new Error('not opened');
  return answer;
}

describe('openCycle', () => {
  it('takes the lease and answers where the route stands and what the policy plans', async () => {
    const model = await seedModel(db);
    const input = run(model, 0);
    const answer = await opened(input);
    expect(answer).toMatchObject({
      champion: 1,
      epoch: 1,
      plan: {
        sandbox: true,
        minDurationMs: 60_000,
        maxDurationMs: 180_000,
        lookEveryMs: 60_000,
        share: 0.5,
        bakeMs: 60_000,
        holdback: 0.2,
      },
    });
    expect(await readCycle(db, answer.cycleId)).toMatchObject({
      model,
      runId: input.runId,
      phase: 'collecting',
      championBefore: 1,
      startedAt: at(0),
      endedAt: null,
    });
    expect((await readLiveCycle(db, model))?.id).toBe(answer.cycleId);
  });

  it('answers a second call of the same run alike', async () => {
    const model = await seedModel(db);
    const input = run(model, 0);
    expect(await opened(input)).toEqual(await opened(input));
    expect(await db.prisma.cycle.count({ where: { model } })).toBe(1);
  });

  it('gives one of ten workflows at once the lease, and tells the others who has it', async () => {
    const model = await seedModel(db);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => openCycle(db, run(model, 0, { workflowId: `w-${i}` }))),
    );
    expect(answers.filter(({ opened }) => opened)).toHaveLength(1);
    const holder = (await readLiveCycle(db, model))!.workflowId;
    for (const answer of answers) {
      if (!answer.opened) expect(answer).toEqual({ opened: false, reason: 'already_running', workflowId: holder });
    }
  });

  it('lets a newer run of the same workflow take over, and the dead run finds its lease lost', async () => {
    const model = await seedModel(db);
    const dead = run(model, 0);
    const first = await opened(dead);
    const second = await opened(run(model, 60));
    expect(second.cycleId).not.toBe(first.cycleId);
    expect(await readCycle(db, first.cycleId)).toMatchObject({
      outcome: 'failed',
      reason: 'superseded',
      endedAt: at(60),
    });
    await expect(
      recordPhase(db, { cycleId: first.cycleId, runId: dead.runId, phase: 'training' }),
    ).rejects.toMatchObject({ code: 'lease_lost' });
    // An activity of the dead run that comes late must not take the lease back.
    await expect(openCycle(db, dead)).rejects.toMatchObject({ code: 'lease_lost' });
    expect((await readLiveCycle(db, model))?.id).toBe(second.cycleId);
  });

  it('goes on with the same cycle and its frozen policy when a run was reset', async () => {
    const model = await seedModel(db);
    const before = run(model, 0);
    const first = await opened(before);
    const document = quickPolicy(model, { triggers: { min_new_examples: 7 } });
    await db.prisma.model.update({ where: { name: model }, data: { policy: document as object } });
    const after = run(model, 60, { originalRunId: before.originalRunId });
    expect(await opened(after)).toEqual(first);
    await expect(recordPhase(db, { cycleId: first.cycleId, runId: before.runId, phase: 'x' })).rejects.toMatchObject({
      code: 'lease_lost',
    });
    await recordPhase(db, { cycleId: first.cycleId, runId: after.runId, phase: 'training' });
  });

  it('reopens an ended cycle for a reset of its run, but not for a late activity of it', async () => {
    const model = await seedModel(db);
    const input = run(model, 0);
    const { cycleId } = await opened(input);
    await closeCycle(db, { cycleId, outcome: 'failed', reason: 'training_failed', asOf: at(10) });
    await expect(openCycle(db, input)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await opened({ ...input, asOf: at(20) })).toMatchObject({ cycleId });
    expect(await readCycle(db, cycleId)).toMatchObject({ outcome: null, reason: null, endedAt: null });
  });

  it('freezes the policy with its overrides, whatever happens to the model afterwards', async () => {
    const model = await seedModel(db);
    const overrides = { trainer: { epochs: 5, lora: { rank: 8 } }, evaluation: { non_inferiority_margin: 0.1 } };
    const { cycleId, policyDigest } = await opened({ ...run(model, 0), overrides });
    const changed = quickPolicy(model, { trainer: { epochs: 1 } });
    await db.prisma.model.update({ where: { name: model }, data: { policy: changed as object } });
    const { policy } = await readCycle(db, cycleId);
    expect(policy).toMatchObject({
      trainer: { epochs: 5, lora: { rank: 8, alpha: 32 } },
      evaluation: { non_inferiority_margin: 0.1 },
    });
    expect(policyDigest).toBe(digestOf(policy));
    expect(policyDigest).not.toBe(digestOf(parsePolicy(quickPolicy(model))));
  });

  it.each([
    ['overrides of the experiment', { experiment: { share: 0.4 } }, 'overrides_refused'],
    ['overrides of the sandbox', { sandbox: true }, 'overrides_refused'],
    ['overrides that make no policy', { trainer: { epochs: 0 } }, 'invalid_policy'],
  ])('refuses %s and takes no lease', async (_name, overrides, code) => {
    const model = await seedModel(db);
    await expect(openCycle(db, { ...run(model, 0), overrides })).rejects.toMatchObject({ code });
    expect(await db.prisma.cycle.count({ where: { model } })).toBe(0);
  });

  it('refuses an unknown model', async () => {
    await expect(openCycle(db, run('nobody', 0))).rejects.toMatchObject({ code: 'unknown_model' });
  });
});

describe('recordPhase and closeCycle', () => {
  it('record phases until the cycle ends, and an end only once', async () => {
    const model = await seedModel(db);
    const input = run(model, 0);
    const { cycleId } = await opened(input);
    await recordPhase(db, { cycleId, runId: input.runId, phase: 'training' });
    expect(await readCycle(db, cycleId)).toMatchObject({ phase: 'training' });
    await closeCycle(db, { cycleId, outcome: 'rejected', reason: 'r'.repeat(300), asOf: at(9) });
    await closeCycle(db, { cycleId, outcome: 'failed', reason: 'later', asOf: at(10) });
    expect(await readCycle(db, cycleId)).toMatchObject({
      outcome: 'rejected',
      reason: 'r'.repeat(200),
      endedAt: at(9),
    });
    await expect(recordPhase(db, { cycleId, runId: input.runId, phase: 'x' })).rejects.toMatchObject({
      code: 'lease_lost',
    });
    expect(await readLiveCycle(db, model)).toBeNull();
    // The lease is free again.
    expect((await opened(run(model, 20))).cycleId).not.toBe(cycleId);
  });
});
