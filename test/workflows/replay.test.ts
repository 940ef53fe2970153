import fs from 'node:fs';
import path from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { cycleWorkflowId } from '../../src/temporal/workflow-names.js';
import { installRuntime } from '../support/temporal.js';
import { workflowBundle } from '../support/workflow-bundle.js';
import { HISTORIES } from './time-skipping.js';

installRuntime();
const goldens = fs.readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

function read(name: string) {
  return historyFromJSON(JSON.parse(fs.readFileSync(path.join(HISTORIES, name), 'utf8')));
}

describe('histories of earlier code', () => {
  it('are there: every outcome, every undoing', () => {
    expect(goldens.length).toBeGreaterThan(20);
  });

  it('replay on the present code', async () => {
    const histories = goldens.map((name) => ({ workflowId: idOf(name), history: read(name) }));
    const workflowBundlePath = await workflowBundle();
    const failed: string[] = [];
    const results = Worker.runReplayHistories({ workflowBundle: { codePath: workflowBundlePath } }, histories);
    let replayed = 0;
    for await (const { workflowId, error } of results) {
      replayed += 1;
      if (error) failed.push(`${workflowId}: ${error.message}`);
    }
    expect(failed).toEqual([]);
    expect(replayed).toBe(goldens.length);
  });

  it('do not replay on other code: the check can fail', async () => {
    const history = read('promoted-significant.json');
    const evaluating = history.events!.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'evaluate',
    );
    evaluating!.activityTaskScheduledEventAttributes!.activityType!.name = 'somethingElse';
    const codePath = await workflowBundle();
    await expect(
      Worker.runReplayHistory({ workflowBundle: { codePath } }, history, idOf('promoted-significant.json')),
    ).rejects.toThrow(/nondeterminism/i);
  });
});

/** A replayed run has to find itself under its id, which is not in a history: launchers were started under another one. */
function idOf(name: string): string {
  if (name.includes('launche')) return 'retraining-2026-11-20T03:00:00Z';
  const [started] = read(name).events!;
  const [input] = started!.workflowExecutionStartedEventAttributes!.input!.payloads!;
  const { model } = JSON.parse(new TextDecoder().decode(input!.data!)) as { model: string };
  return cycleWorkflowId(model);
}
