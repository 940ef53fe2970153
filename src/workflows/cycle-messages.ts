import type { z } from 'zod';
import type {
  HaltEvidence,
  MessageNote,
  PromoteMessage,
  ResumeMessage,
  RollbackMessage,
} from '../temporal/workflow-types.js';
import { haltMessage, promoteMessage, resumeMessage, rollbackMessage } from './messages.js';

/** The oldest notes go first, so that a flood of signals grows neither memory nor the answer of the query. */
const NOTES_KEPT = 20;

/** What can be obeyed now: nothing, the messages of an experiment, or those of a bake. */
type Stage = 'none' | 'experiment' | 'bake';

/**
 * The messages to a cycle: judges each one when it arrives and keeps what is to be obeyed. Nothing here acts and nothing
 * throws; the phases look here between their steps.
 */
export class CycleMessages {
  promotion: PromoteMessage | null = null;
  rollback: RollbackMessage | null = null;
  /** Counts `resume`; who waits compares with the count from before. */
  resumes = 0;
  lastResume: ResumeMessage | null = null;
  readonly notes: MessageNote[] = [];

  #stage: Stage = 'none';
  #candidate: number | null = null;
  #experiment: string | null = null;
  #floorAt: number | null = null;
  #parked = false;
  readonly #halts = new Map<string, HaltEvidence>();

  readonly #now: () => number;

  /** `now`: the workflow's clock, in epoch milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The candidate that messages must be about from now on. */
  about(candidate: number): void {
    this.#candidate = candidate;
  }

  /** From now on messages of this stage are obeyed. Called before the stage's first step: a message may outrun its answer. */
  open(stage: 'experiment' | 'bake'): void {
    this.#stage = stage;
    this.#experiment = null;
    this.#floorAt = null;
    this.promotion = null;
  }

  /** The stage's experiment is known: halts about any other one are ignored. `floorAt`: epoch milliseconds. */
  identify(experiment: string, floorAt: number | null): void {
    this.#experiment = experiment;
    this.#floorAt = floorAt;
  }

  close(): void {
    this.#stage = 'none';
  }

  /** The cycle is waiting for `resume`, or no longer. */
  parked(parked: boolean): void {
    this.#parked = parked;
  }

  /** Why the watch loop took this experiment's second arm off the route, if it did. */
  haltOf(experiment: string): HaltEvidence | null {
    return this.#halts.get(experiment) ?? null;
  }

  /** Is there something that the present stage has to obey? */
  get pending(): boolean {
    if (this.#stage === 'none') return false;
    const halted = this.#experiment !== null && this.#halts.has(this.#experiment);
    return halted || this.rollback !== null || this.promotion !== null;
  }

  /** A message that was taken turned out impossible; `note` says why. */
  drop(kind: 'promotion' | 'rollback', note: string): void {
    const message = this[kind];
    if (message === null) return;
    this[kind] = null;
    this.#note(kind === 'promotion' ? 'promote' : 'rollback', message.actor, message.candidate, false, note);
  }

  receivePromote(payload: unknown): void {
    const message = this.#parse('promote', promoteMessage, payload);
    if (message === null) return;
    const ignored = this.#whyNot(message.candidate, 'promote') ?? this.#whyNotPromote(message);
    this.#note('promote', message.actor, message.candidate, ignored === null, ignored ?? message.reason);
    if (ignored === null) this.promotion = message;
  }

  receiveRollback(payload: unknown): void {
    const message = this.#parse('rollback', rollbackMessage, payload);
    if (message === null) return;
    const ignored = this.#whyNot(message.candidate, 'rollback');
    this.#note('rollback', message.actor, message.candidate, ignored === null, ignored ?? message.reason);
    if (ignored === null) this.rollback ??= message;
  }

  receiveResume(payload: unknown): void {
    const message = this.#parse('resume', resumeMessage, payload);
    if (message === null) return;
    const ignored = this.#parked ? null : 'the cycle is not waiting for an operator';
    this.#note('resume', message.actor, null, ignored === null, ignored ?? 'tried again');
    if (ignored !== null) return;
    this.resumes += 1;
    this.lastResume = message;
  }

  receiveHalt(payload: unknown): void {
    const message = this.#parse('halt', haltMessage, payload);
    if (message === null) return;
    const ignored = this.#whyNotHalt(message.experiment);
    this.#note('halt', 'watch', this.#candidate, ignored === null, ignored ?? message.evidence.summary);
    if (ignored === null) this.#halts.set(message.experiment, message.evidence);
  }

  receiveUnknown(signal: string): void {
    this.#note(signal.slice(0, 50), null, null, false, 'no such signal: promote, rollback, resume, halt');
  }

  #whyNot(candidate: number, signal: string): string | null {
    if (this.#candidate === null) return 'there is no candidate yet; to stop this cycle, cancel the workflow';
    if (candidate !== this.#candidate) return `about version ${candidate}, but the candidate is ${this.#candidate}`;
    if (this.#stage === 'none') return `nothing to ${signal} now: no experiment and no bake is going on`;
    return null;
  }

  #whyNotPromote(message: PromoteMessage): string | null {
    if (this.#stage === 'bake') return 'already promoted';
    if (this.promotion !== null) return 'a promotion is already being carried out';
    if (message.force === true) return null;
    if (this.#floorAt !== null && this.#now() >= this.#floorAt) return null;
    const until = this.#floorAt === null ? '' : ` (${new Date(this.#floorAt).toISOString()})`;
    return `before the floor${until}; "force": true promotes now, and the route change says so for ever`;
  }

  #whyNotHalt(experiment: string): string | null {
    if (this.#stage === 'none') return 'no experiment and no bake is going on';
    if (this.#experiment === null || this.#experiment === experiment) return null;
    return `about experiment ${experiment.slice(0, 36)}, which is not the present one`;
  }

  #parse<T>(signal: string, schema: z.ZodType<T>, payload: unknown): T | null {
    const parsed = schema.safeParse(payload);
    if (parsed.success) return parsed.data;
    // Field names only: what was sent may hold anything.
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || issue.code);
    this.#note(signal, null, null, false, `not valid: ${[...new Set(fields)].join(', ')}`.slice(0, 200));
    return null;
  }

  #note(signal: string, actor: string | null, candidate: number | null, taken: boolean, note: string): void {
    this.notes.push({ at: new Date(this.#now()).toISOString(), signal, actor, candidate, taken, note });
    if (this.notes.length > NOTES_KEPT) this.notes.shift();
  }
}
