import { SIGNALS } from '../temporal/workflow-names.js';
import type { CycleStatus } from '../temporal/workflow-types.js';

/** What the Temporal UI shows on top of a cycle: phase, numbers, and what an operator can do now, as commands to copy. Markdown. */
export function currentDetails(status: CycleStatus, workflowId: string, now: number): string {
  return [
    headline(status),
    ...needsOperator(status, workflowId),
    ...waiting(status, workflowId),
    ...facts(status),
    ...messages(status),
    ...commands(status, workflowId, now),
  ].join('\n');
}

function headline(status: CycleStatus): string {
  const state = status.outcome === null ? status.phase : `${status.outcome.outcome} (${status.outcome.reason})`;
  const sandbox = status.sandbox ? ' · **sandbox: the 48 h floor is lifted**' : '';
  return `### ${status.model}: ${state}${sandbox}\n`;
}

function needsOperator({ needsOperator }: CycleStatus, workflowId: string): string[] {
  if (needsOperator === null) return [];
  return [
    `**Needs an operator** since ${needsOperator.since}: step \`${needsOperator.step}\` failed: ${needsOperator.problem}`,
    `Put it right, then: \`${signal(workflowId, SIGNALS.resume, { actor: 'you' })}\`\n`,
  ];
}

/** The experiment has decided; what is it waiting for? */
function waiting({ approval, frozenUntil, candidate }: CycleStatus, workflowId: string): string[] {
  const about = { candidate, actor: 'you', reason: 'why' };
  if (approval != null) {
    const { needed, by, until } = approval;
    const so = by.length === 0 ? '' : `, ${by.length} so far (${by.join(', ')})`;
    return [
      `**Waits for ${needed === 1 ? 'approval' : `${needed} approvals${so}`}** until ${until}; then the champion stays.`,
      `Approve: \`${signal(workflowId, SIGNALS.promote, about)}\`\n`,
    ];
  }
  if (frozenUntil == null) return [];
  return [
    `**Promotes when the freeze ends**: ${frozenUntil}.`,
    `Now, despite the freeze: \`${signal(workflowId, SIGNALS.promote, { ...about, force: true })}\`\n`,
  ];
}

function facts(status: CycleStatus): string[] {
  const lines: string[] = [];
  const { warning, dataset, training, gate, shadow, experiment, looks, bake } = status;
  if (warning !== undefined && status.outcome === null) lines.push(`- **warning**: ${warning}`);
  if (status.champion !== null) lines.push(`- champion: version ${status.champion}`);
  if (status.candidate !== null) lines.push(`- candidate: version ${status.candidate}`);
  if (dataset !== null) {
    const { considered, kept, train, validation } = dataset;
    lines.push(`- dataset: ${kept} of ${considered} rows kept, ${train} to train and ${validation} to validate`);
  }
  if (training !== null) {
    const loss = training.lastLoss === null ? '' : `, loss ${training.firstLoss ?? '?'} → ${training.lastLoss}`;
    lines.push(`- training: job \`${training.jobId}\`${loss}`);
  }
  if (gate !== null) lines.push(`- evaluation: ${gate.passed ? 'passed' : 'not passed'}. ${gate.summary}`);
  if (shadow !== undefined) {
    const result = shadow.passed ? 'passed' : 'not passed';
    lines.push(`- copies: ${shadow.summary === undefined ? `until ${shadow.until}` : `${result}. ${shadow.summary}`}`);
  }
  if (experiment !== null) {
    lines.push(`- experiment: no decision before ${experiment.minEndsAt}, none after ${experiment.maxEndsAt}`);
  }
  const last = looks.at(-1);
  if (last !== undefined) lines.push(`- look ${last.k} (${last.at}): **${last.decision}**. ${last.summary}`);
  if (last?.estimate !== undefined) lines.push(`- effect, corrected for the looks: ${corrected(last.estimate)}`);
  if (bake !== null) {
    const check = bake.checks.at(-1);
    lines.push(`- bake: until ${bake.endsAt}${check === undefined ? '' : `. ${check.summary}`}`);
  }
  return lines;
}

function corrected({ median, interval: [low, high] }: { median: number; interval: [number, number] }): string {
  const points = (share: number) => `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)}`;
  return `${points(median)} pp (${points(low)} to ${points(high)})`;
}

function messages({ messages }: CycleStatus): string[] {
  return messages
    .slice(-3)
    .map(
      (m) =>
        `- ${m.at} \`${m.signal}\`${m.actor === null ? '' : ` by ${m.actor}`}: ${m.taken ? 'taken' : 'ignored'}, ${m.note}`,
    );
}

function commands(status: CycleStatus, workflowId: string, now: number): string[] {
  if (status.outcome !== null) return [];
  const { candidate, experiment, phase } = status;
  const lines: string[] = [];
  const about = { candidate, actor: 'you', reason: 'why' };
  const { approval, frozenUntil } = status;
  const decided = approval != null || frozenUntil != null;
  if (candidate !== null && experiment !== null && phase === 'experimenting' && !decided) {
    const early = now < Date.parse(experiment.minEndsAt);
    lines.push(
      `- promote${early ? ' before the floor' : ''}: \`${signal(workflowId, SIGNALS.promote, early ? { ...about, force: true } : about)}\``,
    );
    lines.push(`- more time: \`${signal(workflowId, SIGNALS.extend, { by: '48h', actor: 'you' })}\``);
  }
  if (candidate !== null && experiment !== null && (phase === 'experimenting' || decided)) {
    lines.push(`- close the experiment: \`${signal(workflowId, SIGNALS.rollback, about)}\``);
  }
  if (candidate !== null && phase === 'baking') {
    lines.push(`- restore the previous champion: \`${signal(workflowId, SIGNALS.rollback, about)}\``);
  }
  lines.push(`- stop and undo everything: \`temporal workflow cancel --workflow-id ${workflowId}\``);
  return ['', ...lines];
}

function signal(workflowId: string, name: string, input: object): string {
  return `temporal workflow signal --workflow-id ${workflowId} --name ${name} --input '${JSON.stringify(input)}'`;
}
