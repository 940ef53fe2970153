import type { z } from 'zod';
import type {
  HaltEvidence,
  HaltMessage,
  MessageNote,
  PromoteMessage,
  ResumeMessage,
  RollbackMessage,
} from '../temporal/workflow-types.js';
import { type Approval, Approvals } from './approvals.js';
import { endOf, type Horizon, tooLong } from './extension.js';
import {
  type ExtendRequest,
  extendMessage,
  haltMessage,
  promoteMessage,
  resumeMessage,
  rollbackMessage,
} from './messages.js';

/** The oldest notes go first, so that a flood of signals grows neither memory nor the answer of the query. */
const NOTES_KEPT = 20;

/** What can be obeyed now: nothing, the messages of an experiment, or those of a bake. */
type Stage = 'none' | 'experiment' | 'bake';

export type MessageName = 'promote' | 'rollback' | 'extend' | 'resume' | 'halt';

/** What a message turned out to be; nothing has been kept of it yet. */
interface Judged {
  actor: string | null;
  candidate: number | null;
  /** Why it is not obeyed; null when it is. */
  ignored: string | null;
  /** Keeps what is to be obeyed; answers the note. */
  take: () => string;
}

/**
 * The messages to a cycle: judges each one when it arrives and keeps what is to be obeyed. Nothing here acts and nothing
 * throws; the phases look here between their steps.
 */
export class CycleMessages {
  /** A promotion that as many people asked for as it needs. */
  promotion: Approval | null = null;
  rollback: RollbackMessage | null = null;
  extension: ExtendRequest | null = null;
  /** Counts `resume`; who waits compares with the count from before. */
  resumes = 0;
  lastResume: ResumeMessage | null = null;
  readonly approvals = new Approvals();
  readonly notes: MessageNote[] = [];

  #stage: Stage = 'none';
  #candidate: number | null = null;
  #experiment: string | null = null;
  #floorAt: number | null = null;
  #horizon: Horizon | null = null;
  /** The experiment has decided; only an approval or the end of a freeze window is missing. */
  #decided: { frozenUntil: string | null } | null = null;
  #parked = false;
  readonly #halts = new Map<string, HaltEvidence>();
  readonly #extended = new Set<string>();
  readonly #doors: Record<MessageName, (payload: unknown) => Judged>;

  readonly #now: () => number;

  /** `now`: the workflow's clock, in epoch milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#doors = {
      promote: door(
        promoteMessage,
        (message) => this.#whyNotPromote(message),
        (message) => this.#takePromote(message),
      ),
      rollback: door(
        rollbackMessage,
        ({ candidate }) => this.#whyNot(candidate, 'rollback'),
        (message) => {
          this.rollback ??= message;
          return message.reason;
        },
      ),
      extend: door(
        extendMessage,
        (message) => this.#whyNotExtend(message),
        (message) => this.#takeExtend(message),
      ),
      resume: door(
        resumeMessage,
        () => (this.#parked ? null : 'the cycle is not waiting for an operator'),
        (message) => {
          this.resumes += 1;
          this.lastResume = message;
          return 'tried again';
        },
      ),
      halt: door(
        haltMessage,
        ({ experiment }) => this.#whyNotHalt(experiment),
        (message) => this.#takeHalt(message),
      ),
    };
  }

  /** The candidate that messages must be about from now on. */
  about(candidate: number): void {
    this.#candidate = candidate;
  }

  /** From now on messages of this stage are obeyed. Called before the stage's first step: a message may outrun its answer. */
  open(stage: 'experiment' | 'bake'): void {
    this.drop('extension', 'the experiment was decided first');
    this.#stage = stage;
    this.#experiment = null;
    this.#floorAt = null;
    this.#horizon = null;
    this.#decided = null;
    this.#forgetPromotion();
  }

  /** The stage's experiment is known: halts about any other one are ignored. `floorAt`: epoch milliseconds. */
  identify(experiment: string, floorAt: number | null): void {
    this.#experiment = experiment;
    this.#floorAt = floorAt;
  }

  /** The looks that an extension may put off; null from the last look on. */
  looksUntil(horizon: Horizon | null): void {
    this.#horizon = horizon;
  }

  /** The experiment has decided for the candidate; it waits for approval, or until a freeze window ends (ISO 8601). */
  decided(frozenUntil: string | null): void {
    this.drop('extension', 'the experiment was decided first');
    this.#horizon = null;
    this.#decided = { frozenUntil };
    this.#forgetPromotion();
  }

  close(): void {
    this.drop('extension', 'the experiment has ended');
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

  /** Is there something that the present stage has to obey? An extension decides nothing: it is `extension`. */
  get pending(): boolean {
    return this.stopped || (this.#stage !== 'none' && this.promotion !== null);
  }

  /** Is there something that takes the candidate back? */
  get stopped(): boolean {
    if (this.#stage === 'none') return false;
    const halted = this.#experiment !== null && this.#halts.has(this.#experiment);
    return halted || this.rollback !== null;
  }

  /** A message that was taken turned out impossible; `note` says why. */
  drop(kind: 'promotion' | 'rollback' | 'extension', note: string): void {
    const message = this[kind];
    if (message === null) return;
    this[kind] = null;
    if (kind === 'promotion') this.approvals.forget();
    const signal = { promotion: 'promote', rollback: 'rollback', extension: 'extend' }[kind];
    this.#note(signal, message.actor, message.candidate ?? this.#candidate, false, note);
  }

  /** Why a message would not be taken now; null when it would. Changes nothing. */
  refusal(name: MessageName, payload: unknown): string | null {
    return this.#doors[name](payload).ignored;
  }

  /** Takes a message or ignores it, and says what became of it. */
  receive(name: MessageName, payload: unknown): MessageNote {
    const { actor, candidate, ignored, take } = this.#doors[name](payload);
    if (name === 'halt') return this.#note(name, 'watch', this.#candidate, ignored === null, ignored ?? take());
    return this.#note(name, actor, candidate, ignored === null, ignored ?? take());
  }

  receiveUnknown(signal: string): void {
    const known = Object.keys(this.#doors).join(', ');
    this.#note(signal.slice(0, 50), null, null, false, `no such signal: ${known}`);
  }

  #whyNot(candidate: number, signal: string): string | null {
    if (this.#candidate === null) return 'there is no candidate yet; to stop this cycle, cancel the workflow';
    if (candidate !== this.#candidate) return `about version ${candidate}, but the candidate is ${this.#candidate}`;
    if (this.#stage === 'none') return `nothing to ${signal} now: no experiment and no bake is going on`;
    return null;
  }

  #whyNotPromote(message: PromoteMessage): string | null {
    const elsewhere = this.#whyNot(message.candidate, 'promote');
    if (elsewhere !== null) return elsewhere;
    if (this.#stage === 'bake') return 'already promoted';
    if (this.promotion !== null) return 'a promotion is already being carried out';
    return this.approvals.whyNot(message) ?? (message.force === true ? null : this.#whyNotWithoutForce());
  }

  #whyNotWithoutForce(): string | null {
    if (this.#decided !== null) {
      const { frozenUntil } = this.#decided;
      if (frozenUntil === null) return null;
      return `decided already: promoted when the freeze ends (${frozenUntil}); "force": true promotes now`;
    }
    if (this.#floorAt !== null && this.#now() >= this.#floorAt) return null;
    const until = this.#floorAt === null ? '' : ` (${new Date(this.#floorAt).toISOString()})`;
    return `before the floor${until}; "force": true promotes now, and the route change says so for ever`;
  }

  #takePromote(message: PromoteMessage): string {
    this.promotion = this.approvals.add(message);
    return this.promotion === null ? this.approvals.missing : message.reason;
  }

  #whyNotExtend({ candidate, by, request_id }: ExtendRequest): string | null {
    if (candidate !== undefined && candidate !== this.#candidate) return this.#whyNot(candidate, 'extend');
    if (this.#stage !== 'experiment') return 'nothing to extend now: no experiment is going on';
    if (request_id !== undefined && this.#extended.has(request_id)) return 'this extension was asked for already';
    if (this.extension !== null) return 'an extension is already being carried out';
    if (this.#experiment === null) return 'the experiment has not started yet';
    const horizon = this.#horizon;
    if (horizon === null || this.#now() >= endOf(horizon)) return 'the last look has come';
    return tooLong(horizon, by);
  }

  #takeExtend(message: ExtendRequest): string {
    this.extension = message;
    if (message.request_id !== undefined) this.#extended.add(message.request_id);
    return message.reason;
  }

  #whyNotHalt(experiment: string): string | null {
    if (this.#stage === 'none') return 'no experiment and no bake is going on';
    if (this.#experiment === null || this.#experiment === experiment) return null;
    return `about experiment ${experiment.slice(0, 36)}, which is not the present one`;
  }

  #takeHalt({ experiment, evidence }: HaltMessage): string {
    this.#halts.set(experiment, evidence);
    return evidence.summary;
  }

  #forgetPromotion(): void {
    this.promotion = null;
    this.approvals.forget();
  }

  #note(signal: string, actor: string | null, candidate: number | null, taken: boolean, note: string): MessageNote {
    const written = { at: new Date(this.#now()).toISOString(), signal, actor, candidate, taken, note };
    this.notes.push(written);
    if (this.notes.length > NOTES_KEPT) this.notes.shift();
    return written;
  }
}

/** Judges messages of one kind: their shape first, then whether they can be obeyed now. */
function door<T extends object>(
  schema: z.ZodType<T>,
  whyNot: (message: T) => string | null,
  take: (message: T) => string,
): (payload: unknown) => Judged {
  return (payload) => {
    const parsed = schema.safeParse(payload);
    if (parsed.success) {
      const { actor = null, candidate = null } = parsed.data as { actor?: string; candidate?: number };
      return { actor, candidate, ignored: whyNot(parsed.data), take: () => take(parsed.data) };
    }
    // Field names only: what was sent may hold anything.
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || issue.code);
    const ignored = `not valid: ${[...new Set(fields)].join(', ')}`.slice(0, 200);
    return { actor: null, candidate: null, ignored, take: () => ignored };
  };
}
