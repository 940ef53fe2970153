import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { UnderstudyError } from '../errors.js';
import { type CycleStatus, cycleWorkflowId, cycleStatus as queryStatus } from '../temporal/index.js';
import { show, table } from './output.js';
import { withTemporal } from './with-temporal.js';

/** What the newest cycle of a model says of itself; with `--watch` again on every change until it has ended. */
export async function cycleStatus(model: string, options: { watch?: boolean; json?: boolean }): Promise<void> {
  await withTemporal(async (client) => {
    let shown = '';
    for (;;) {
      const status = await queryStatus(client, model);
      if (status === null) throw new UnderstudyError('not_found', { what: `A cycle of "${model}"` });
      const end = status.outcome === null ? await endWithoutOutcome(client, model) : null;
      const text =
        describe(status) + (end === null ? '' : `\nended: ${end.ended}${end.failure ? `, ${end.failure}` : ''}`);
      if (text !== shown)
        show(options.json ?? false, { ...status, ...(end ?? { ended: null, failure: null }) }, () => text);
      shown = text;
      if (!options.watch || status.outcome !== null || end !== null) return;
      await sleep(1_000);
    }
  });
}

/**
 * How a cycle ended that has no outcome to tell: failed, cancelled, terminated, timed_out; for a failure its code and
 * message. Null while it runs, and for one that completed since it was asked.
 */
async function endWithoutOutcome(
  client: Client,
  model: string,
): Promise<{ ended: string; failure: string | null } | null> {
  const handle = client.workflow.getHandle(cycleWorkflowId(model));
  const { status } = await handle.describe();
  if (['RUNNING', 'PAUSED', 'COMPLETED'].includes(status.name)) return null;
  const failure = await handle.result().then(
    () => null,
    (error: Error) =>
      error.cause instanceof ApplicationFailure ? `${error.cause.type}: ${error.cause.message}` : null,
  );
  return { ended: status.name.toLowerCase(), failure };
}

function describe(status: CycleStatus): string {
  const lines = [
    `${status.model}${status.sandbox ? ' (sandbox)' : ''}: ${status.phase}, champion ${status.champion ?? '–'}, candidate ${status.candidate ?? '–'}`,
  ];
  if (status.warning !== undefined) lines.push(`WARNING: ${status.warning}`);
  if (status.dataset)
    lines.push(
      `dataset: ${status.dataset.kept} of ${status.dataset.considered} kept (${status.dataset.train} train, ${status.dataset.validation} validation)`,
    );
  if (status.training)
    lines.push(
      `training: job ${status.training.jobId}, ${status.training.steps ?? '–'} steps, loss ${status.training.firstLoss ?? '–'} → ${status.training.lastLoss ?? '–'}`,
    );
  if (status.gate) lines.push(`evaluation: ${status.gate.summary}`);
  if (status.shadow) lines.push(`copies: ${status.shadow.summary ?? `until ${status.shadow.until}`}`);
  if (status.experiment)
    lines.push(
      `experiment: ${status.experiment.startedAt} to ${status.experiment.minEndsAt} at least, ${status.experiment.maxEndsAt} at most`,
    );
  if (status.looks.length > 0) {
    const arm = ({ n, x }: { n: number; x: number }) => `${x}/${n}`;
    const number = (value: number | null) => (value === null ? '–' : value.toFixed(3));
    const rows = status.looks.map((look) => [
      look.k,
      arm(look.champion),
      arm(look.challenger),
      number(look.z),
      number(look.boundary),
      look.interval === null ? '–' : `[${number(look.interval[0])}, ${number(look.interval[1])}]`,
      look.reason === null ? look.decision : `${look.decision} (${look.reason})`,
    ]);
    const end = status.looks.at(-1)?.estimate;
    lines.push(table(['look', 'champion', 'challenger', 'z', 'boundary', 'interval', 'decision'], rows));
    if (end)
      lines.push(
        `effect, corrected for the looks: ${number(end.median)} [${number(end.interval[0])}, ${number(end.interval[1])}]`,
      );
  }
  const check = status.bake?.checks.at(-1);
  if (status.bake) lines.push(`bake: until ${status.bake.endsAt}${check ? `; ${check.summary}` : ''}`);
  for (const message of status.messages) lines.push(`${message.signal} by ${message.actor ?? '?'}: ${message.note}`);
  if (status.needsOperator)
    lines.push(`NEEDS AN OPERATOR: ${status.needsOperator.step}: ${status.needsOperator.problem}`);
  if (status.approval)
    lines.push(
      `WAITS FOR APPROVAL until ${status.approval.until} (${status.approval.by.length} of ${status.approval.needed}): understudy promote ${status.model} --candidate ${status.candidate} --reason …`,
    );
  if (status.frozenUntil) lines.push(`promotes when the freeze ends: ${status.frozenUntil}`);
  if (status.outcome) {
    const { outcome, reason, champion, evidence } = status.outcome;
    lines.push(`ended: ${outcome} (${reason}), champion ${champion ?? '–'}`);
    const figures = Object.entries(evidence).filter(([, value]) => ['number', 'string'].includes(typeof value));
    if (figures.length > 0) lines.push(`  ${figures.map(([name, value]) => `${name} ${value}`).join(', ')}`);
  }
  return lines.join('\n');
}
