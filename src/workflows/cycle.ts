import type { SearchAttributeUpdatePair } from '@temporalio/common';
import { condition, isCancellation, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { CyclePlan, LookFacts } from '../activities/contract.js';
import { ATTRIBUTES } from '../temporal/search-attribute-names.js';
import type { CycleOutcome, CycleStatus, Phase } from '../temporal/workflow-types.js';
import { recordPhase } from './activities.js';
import { currentDetails } from './current-details.js';
import { CycleMessages } from './cycle-messages.js';
import { failedWith, type Problem } from './failures.js';

/** What a cycle knows once it has opened: its row, its frozen policy, where the route stood. */
export interface OpenedFacts {
  id: string;
  policyDigest: string;
  plan: CyclePlan;
  champion: number;
  /** Epoch of the route that the cycle found. */
  epoch: number;
  /** Why the experiment to come cannot finish. */
  warning?: string;
}

/** The actor of everything a cycle does by itself. */
export const CYCLE_ACTOR = 'cycle';

/** One running cycle: what it knows, what it shows, and the messages to it. Steps tell it what they found out. */
export class Cycle {
  readonly messages = new CycleMessages(() => Date.now());
  readonly status: CycleStatus;
  #opened: OpenedFacts | null = null;
  readonly #shown = new Map<string, string>();

  constructor(
    readonly model: string,
    readonly workflowId: string,
    /** Survives a reset, so that the lease and the training job of this cycle are found again. */
    readonly originalRunId: string,
    trigger: string,
    /** What it begins with. */
    phase: Phase,
  ) {
    this.status = {
      model,
      cycleId: null,
      trigger,
      phase,
      phases: [{ phase, startedAt: asOf() }],
      champion: null,
      candidate: null,
      policyDigest: null,
      sandbox: null,
      dataset: null,
      training: null,
      gate: null,
      experiment: null,
      looks: [],
      bake: null,
      messages: this.messages.notes,
      needsOperator: null,
      outcome: null,
    };
    this.#show([
      { key: ATTRIBUTES.model, value: model },
      { key: ATTRIBUTES.trigger, value: trigger },
      { key: ATTRIBUTES.phase, value: phase },
    ]);
  }

  get id(): string {
    return this.#facts.id;
  }

  get plan(): CyclePlan {
    return this.#facts.plan;
  }

  /** The champion that the cycle found; its candidate is compared with this one. */
  get championBefore(): number {
    return this.#facts.champion;
  }

  get epoch(): number {
    return this.#facts.epoch;
  }

  opened(facts: OpenedFacts): void {
    this.#opened = facts;
    this.messages.approvals.needed = facts.plan.approvals ?? 1;
    Object.assign(this.status, {
      cycleId: facts.id,
      policyDigest: facts.policyDigest,
      sandbox: facts.plan.sandbox,
      champion: facts.champion,
      ...(facts.warning !== undefined && { warning: facts.warning }),
    });
    this.#refresh();
  }

  /** Goes on to the next phase and shows it: attributes, details, row. */
  async enter(phase: Phase): Promise<void> {
    if (this.status.phase !== phase) this.status.phases.push({ phase, startedAt: asOf() });
    this.status.phase = phase;
    const { candidate } = this.status;
    this.#show([
      ...this.#nobodyNeeded(),
      { key: ATTRIBUTES.phase, value: phase },
      // With the next phase, because each upsert is an event of history.
      ...(candidate === null ? [] : [{ key: ATTRIBUTES.candidate, value: String(candidate) }]),
    ]);
    try {
      await recordPhase({ cycleId: this.id, runId: this.originalRunId, phase });
    } catch (error) {
      if (isCancellation(error) || failedWith(error, 'lease_lost')) throw error;
    }
  }

  /** Notes what a step found out. */
  learn(facts: Partial<CycleStatus>): void {
    Object.assign(this.status, facts);
    this.#refresh();
  }

  hasCandidate(version: number): void {
    this.messages.about(version);
    this.status.candidate = version;
    this.#refresh();
  }

  /** The experiment that goes on, again when its end was put off. */
  hasExperiment(experiment: NonNullable<CycleStatus['experiment']>): void {
    this.status.experiment = experiment;
    this.#show([{ key: ATTRIBUTES.experimentEndsAt, value: new Date(experiment.maxEndsAt) }]);
  }

  hasLook({ k, decision, reason, champion, challenger, z, boundary, interval, estimate, summary }: LookFacts): void {
    const facts = { k, at: asOf(), decision, reason, champion, challenger, z, boundary, interval, summary };
    const look = { ...facts, ...(estimate && { estimate }) };
    this.status.looks.push(look);
    this.#refresh();
  }

  hasBakeCheck(summary: string): void {
    this.status.bake?.checks.push({ at: asOf(), summary });
    this.#refresh();
  }

  /** Waits for `resume`, telling everywhere that a person is needed; `unless` ends the wait as well. */
  async askOperator(step: string, problem: Problem, unless: () => boolean = () => false): Promise<void> {
    this.status.needsOperator = { step, problem: `${problem.type}: ${problem.message}`, since: asOf() };
    this.messages.parked(true);
    this.#show([{ key: ATTRIBUTES.needsOperator, value: true }]);
    const before = this.messages.resumes;
    try {
      await condition(() => this.messages.resumes > before || unless());
    } finally {
      this.messages.parked(false);
    }
    this.status.needsOperator = null;
    this.#show([{ key: ATTRIBUTES.needsOperator, value: false }]);
  }

  /** What the test decided waits for people, until `until`. */
  awaitsApproval(until: string): void {
    const { needed, actors } = this.messages.approvals;
    this.status.approval = { since: asOf(), until, needed, by: actors };
    this.#show([{ key: ATTRIBUTES.needsOperator, value: true }]);
  }

  /** The wait is over; the attribute goes back with whatever is shown next. */
  approvalEnded(): void {
    this.status.approval = null;
    this.#refresh();
  }

  /** Shows how the cycle ended. */
  ended(outcome: CycleOutcome): CycleOutcome {
    this.status.outcome = outcome;
    this.status.champion = outcome.champion;
    this.#show([...this.#nobodyNeeded(), { key: ATTRIBUTES.outcome, value: outcome.outcome }]);
    return outcome;
  }

  /** Shows that it ended without an outcome. */
  endedAs(outcome: 'failed' | 'canceled'): void {
    this.#show([...this.#nobodyNeeded(), { key: ATTRIBUTES.outcome, value: outcome }]);
  }

  /** Brings the current details up to date: after a message, for instance. */
  refresh(): void {
    this.#refresh();
  }

  /** With another upsert, because each is an event of history. */
  #nobodyNeeded(): SearchAttributeUpdatePair[] {
    const waits = this.status.approval != null || this.status.needsOperator !== null;
    return waits || this.#shown.get(ATTRIBUTES.needsOperator.name) !== 'true'
      ? []
      : [{ key: ATTRIBUTES.needsOperator, value: false }];
  }

  #show(updates: SearchAttributeUpdatePair[]): void {
    // An upsert is an event of history, also when it changes nothing.
    const changed = updates.filter(({ key, value }) => this.#shown.get(key.name) !== String(value));
    for (const { key, value } of changed) this.#shown.set(key.name, String(value));
    if (changed.length > 0) upsertSearchAttributes(changed);
    this.#refresh();
  }

  #refresh(): void {
    setCurrentDetails(currentDetails(this.status, this.workflowId, Date.now()));
  }

  get #facts(): OpenedFacts {
    if (this.#opened === null) throw new TypeError('the cycle has not opened yet');
    return this.#opened;
  }
}

/** The workflow's clock, which is the clock of every step. */
export function asOf(): string {
  return new Date(Date.now()).toISOString();
}
