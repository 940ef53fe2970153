import type {
  Activities,
  CollectedExamples,
  CuratedDataset,
  CyclePlan,
  GateResult,
  LookFacts,
  RouteChangedByOther,
  ShadowTrial,
} from '../../src/activities/contract.js';
import { UnderstudyError } from '../../src/errors.js';
import type { RouteAction } from '../../src/routing/index.js';

export const HOUR = 3_600_000;

/** The default policy's plan: 48 h at least, 120 h at most, a look a day, a bake of a day. */
export const PLAN: CyclePlan = {
  sandbox: false,
  minNewExamples: 1_000,
  maxTrainingMs: 8 * HOUR,
  minDurationMs: 48 * HOUR,
  maxDurationMs: 120 * HOUR,
  lookEveryMs: 24 * HOUR,
  share: 0.1,
  bakeMs: 24 * HOUR,
  holdback: 0.1,
  drainMs: 60_000,
};

interface Route {
  epoch: number;
  champion: number;
  previous: number | null;
  challenger: number | null;
  experimentId: string | null;
  /** Who moved it last, and how. */
  actor: string;
  action: RouteAction;
  forced: boolean;
}

interface Row {
  cycleId: string;
  workflowId: string;
  runId: string;
  phases: string[];
  outcome: string | null;
  reason: string | null;
}

type Name = keyof Activities;
export type Call = { name: Name; input: Record<string, unknown> };

const SHA = 'a'.repeat(64);

/**
 * Everything outside the workflow, in memory and by the contract: one model, its route, its cycles, datasets, jobs, replicas.
 * What happens is in `calls`; what a look finds, what fails and how long, is set by the test.
 */
export class World {
  plan: CyclePlan = { ...PLAN };
  route: Route = {
    epoch: 4,
    champion: 1,
    previous: null,
    challenger: null,
    experimentId: null,
    actor: 'apply',
    action: 'create',
    forced: false,
  };
  rows: Row[] = [];
  datasets = new Map<string, 'collecting' | 'frozen' | 'orphaned'>();
  jobs = new Map<string, 'running' | 'succeeded' | 'cancelled'>();
  versions = new Map<number, 'candidate' | 'archived' | 'rejected'>([[1, 'candidate']]);
  loaded = new Set<number>([1]);
  experiments = new Map<
    string,
    { challenger: number; startedAt: number; extendedMs: number; decision: string | null; reason: string | null }
  >();
  readonly calls: Call[] = [];

  /** Why the experiment cannot finish at the traffic there is. */
  warning: string | null = null;
  examples: Partial<CollectedExamples> = {};
  dataset: Partial<CuratedDataset> = {};
  gate: Partial<GateResult> = {};
  /** How the candidate does with copies. */
  trial: Partial<ShadowTrial> = {};
  /** Who answers copies now. */
  shadow: number | null = null;
  /** What the k-th look decides. */
  look: (k: number, last: boolean) => Partial<LookFacts> = () => ({ decision: 'promote', reason: 'significant' });
  bake: () => { rollback: boolean } = () => ({ rollback: false });
  /** The freeze window that is on when a promotion is due. */
  frozenUntil: (at: number) => number | null = () => null;
  /** Runs inside an activity, before it does anything: to fail it, to hold it, to do something meanwhile. */
  readonly before = new Map<Name, (input: Record<string, unknown>, attempt: number) => Promise<void> | void>();
  readonly #attempts = new Map<Name, number>();

  constructor(readonly model = 'support-router') {}

  /** Lets an activity fail with an error of the table for as long as `while` says so; default for ever. */
  fail(name: Name, code: ConstructorParameters<typeof UnderstudyError>[0], details = {}, still = () => true): void {
    this.before.set(name, () => {
      if (still()) throw new UnderstudyError(code, details);
    });
  }

  /** Somebody else moves the route. */
  move(actor: string, action: RouteAction, next: Partial<Route> = {}): void {
    const alone = { challenger: null, experimentId: null, forced: false };
    this.route = { ...this.route, ...alone, ...next, epoch: this.route.epoch + 1, actor, action };
  }

  get names(): Name[] {
    return this.calls.map(({ name }) => name);
  }

  called(name: Name): Record<string, unknown>[] {
    return this.calls.filter((call) => call.name === name).map(({ input }) => input);
  }

  /** The calls since the first of that name, without repeats: the order in which things were undone. */
  since(name: Name): Name[] {
    return [...new Set(this.names.slice(this.names.indexOf(name)))];
  }

  get live(): Row | undefined {
    return this.rows.find(({ outcome }) => outcome === null);
  }

  /** What would go on costing or answering after the cycle: jobs that run, adapters beside the route's, split traffic. */
  get leftBehind(): string[] {
    const used = [this.route.champion, this.route.previous, this.route.challenger];
    return [
      ...[...this.jobs].filter(([, state]) => state === 'running').map(([key]) => `job ${key}`),
      ...[...this.loaded].filter((version) => !used.includes(version)).map((version) => `adapter ${version}`),
      ...(this.route.experimentId === null ? [] : ['split']),
      ...(this.shadow === null ? [] : ['shadow']),
      ...(this.live === undefined ? [] : ['lease']),
    ];
  }

  #changed(): RouteChangedByOther {
    const { actor, epoch, action } = this.route;
    return { routeChanged: true, actor, epoch, action };
  }

  /** What the workflow sees. */
  activities(): Activities {
    const world = this;
    const implemented: Activities = {
      async openCycle({ workflowId, runId }) {
        if (world.live !== undefined && world.live.runId !== runId && world.live.workflowId !== workflowId) {
          return { opened: false, reason: 'already_running', workflowId: world.live.workflowId };
        }
        if (world.live === undefined) {
          const cycleId = `00000000-0000-4000-8000-${String(world.rows.length + 1).padStart(12, '0')}`;
          world.rows.push({ cycleId, workflowId, runId, phases: [], outcome: null, reason: null });
        }
        const { champion, epoch } = world.route;
        const facts = { cycleId: world.live!.cycleId, policyDigest: SHA, plan: world.plan, champion, epoch };
        return { opened: true, ...facts, ...(world.warning !== null && { warning: world.warning }) };
      },
      async recordPhase({ phase, runId }) {
        if (world.live?.runId !== runId) throw new UnderstudyError('lease_lost', { model: world.model });
        world.live.phases.push(phase);
      },
      async closeCycle({ cycleId, outcome, reason }) {
        const row = world.rows.find((candidate) => candidate.cycleId === cycleId);
        if (row !== undefined && row.outcome === null) Object.assign(row, { outcome, reason });
      },
      async collect() {
        world.datasets.set('dataset-1', 'collecting');
        return {
          datasetId: 'dataset-1',
          considered: 5_000,
          eligible: 4_200,
          needed: 1_000,
          tooFew: false,
          ...world.examples,
        };
      },
      async curate({ datasetId }) {
        world.datasets.set(datasetId, 'frozen');
        return {
          datasetId,
          digest: SHA,
          considered: 5_000,
          kept: 4_000,
          leftOut: { no_feedback: 800, duplicate: 150, blocked_pattern: 50 },
          train: 3_600,
          validation: 400,
          tooFew: false,
          ...world.dataset,
        };
      },
      async orphanDataset({ datasetId }) {
        world.datasets.set(datasetId, 'orphaned');
      },
      async submitTraining({ key }) {
        if (!world.jobs.has(key)) world.jobs.set(key, 'running');
        return { trainingRunId: '11111111-1111-4111-8111-111111111111', jobId: 'ftjob-1' };
      },
      async followTraining() {
        const [key] = world.jobs.keys();
        world.jobs.set(key!, 'succeeded');
        return {
          trainingRunId: '11111111-1111-4111-8111-111111111111',
          jobId: 'ftjob-1',
          adapterSha256: SHA,
          steps: 450,
          firstLoss: 3.1,
          lastLoss: 0.4,
          seconds: 66,
        };
      },
      async cancelTraining({ key }) {
        if (world.jobs.get(key) === 'running') world.jobs.set(key, 'cancelled');
      },
      async registerVersion() {
        world.versions.set(2, 'candidate');
        return { version: 2, label: '2', servedAs: `${world.model}-v2` };
      },
      async adoptVersion({ version }) {
        const state = world.versions.get(version);
        if (state === undefined) throw new UnderstudyError('unknown_version', { model: world.model, version });
        if (state === 'rejected') throw new UnderstudyError('version_rejected', { model: world.model, version });
        world.versions.set(version, 'candidate');
        return { version, label: '1.1.0', servedAs: `${world.model}-v${version}` };
      },
      async retireVersion({ version, state }) {
        const { champion, previous, challenger } = world.route;
        if ([champion, previous, challenger].includes(version)) {
          throw new UnderstudyError('conflict', { detail: `Version ${version} is in the route.` });
        }
        world.versions.set(version, state);
      },
      async loadVersion({ version }) {
        world.loaded.add(version);
      },
      async unloadVersion({ version }) {
        const { champion, previous, challenger } = world.route;
        if ([champion, previous, challenger].includes(version)) return { unloaded: false };
        world.loaded.delete(version);
        return { unloaded: true };
      },
      async evaluate() {
        const passed = world.gate.passed ?? true;
        return {
          passed,
          noGate: false,
          n: 400,
          champion: 0.5,
          challenger: 0.6,
          difference: 0.1,
          lowerBound: 0.05,
          margin: 0.02,
          summary: 'challenger 0.60, champion 0.50, n = 400',
          ...world.gate,
        };
      },
      async shadowCandidate({ version, asOf }) {
        world.shadow = version;
        return { until: new Date(Date.parse(asOf) + 24 * HOUR).toISOString() };
      },
      async judgeShadow() {
        world.shadow = null;
        return {
          passed: true,
          enough: true,
          n: 400,
          failed: 4,
          limit: 0.05,
          summary: '4 of 400 failed',
          ...world.trial,
        };
      },
      async endShadow() {
        world.shadow = null;
      },
      async startExperiment({ candidate, expectedEpoch, asOf }) {
        if (world.route.epoch !== expectedEpoch) return world.#changed();
        const experimentId = `experiment-${world.experiments.size + 1}`;
        const startedAt = Date.parse(asOf);
        world.experiments.set(experimentId, {
          ...{ challenger: candidate, startedAt, extendedMs: 0, decision: null, reason: null },
        });
        world.move('cycle', 'start_experiment', { challenger: candidate, experimentId });
        return {
          experimentId,
          epoch: world.route.epoch,
          startedAt: asOf,
          minEndsAt: new Date(startedAt + world.plan.minDurationMs).toISOString(),
          maxEndsAt: new Date(startedAt + world.plan.maxDurationMs).toISOString(),
        };
      },
      async takeLook({ experimentId, k, isLast }) {
        const facts: LookFacts = {
          k,
          decision: 'wait',
          reason: null,
          champion: { n: 1_800, x: 1_080 },
          challenger: { n: 1_750, x: 1_170 },
          tested: true,
          z: 3.1,
          boundary: 1.96,
          interval: [0.02, 0.11],
          summary: 'challenger 1170/1750, champion 1080/1800; difference 0.069 [0.020, 0.110], z 3.10 against 1.96',
          ...world.look(k, isLast),
        };
        if (world.route.experimentId === experimentId) return facts;
        const reason = world.route.action === 'harm_stop' ? 'harm' : 'route_changed';
        const decision = reason === 'harm' ? 'reject' : 'inconclusive';
        return { ...facts, decision, reason, routeChanged: world.#changed() };
      },
      async extendExperiment({ experimentId, byMs, actor }) {
        if (world.route.experimentId !== experimentId) return world.#changed();
        const { champion, challenger } = world.route;
        world.move(actor, 'extend_experiment', { champion, challenger, experimentId });
        const test = world.experiments.get(experimentId)!;
        test.extendedMs += byMs;
        const maxEndsAt = test.startedAt + world.plan.maxDurationMs + test.extendedMs;
        return { epoch: world.route.epoch, maxEndsAt: new Date(maxEndsAt).toISOString() };
      },
      async endExperiment({ experimentId, decision, reason, actor }) {
        Object.assign(world.experiments.get(experimentId)!, { decision, reason });
        if (world.route.experimentId === experimentId) world.move(actor, 'end_experiment');
        else if (!['cycle', 'watch'].includes(world.route.actor)) return world.#changed();
        return { epoch: world.route.epoch };
      },
      async promote({ experimentId, expectedEpoch, forced, despiteFreeze, actor, asOf }) {
        const test = world.experiments.get(experimentId)!;
        if (!forced && Date.parse(asOf) < test.startedAt + world.plan.minDurationMs) {
          throw new UnderstudyError('conflict', { detail: 'promotion before the floor' });
        }
        if (world.route.epoch !== expectedEpoch) return world.#changed();
        const frozenUntil = world.frozenUntil(Date.parse(asOf));
        if (frozenUntil !== null && !despiteFreeze) return { frozenUntil: new Date(frozenUntil).toISOString() };
        const bakeExperimentId = `experiment-${world.experiments.size + 1}`;
        const old = world.route.champion;
        Object.assign(test, { decision: 'promote' });
        world.experiments.set(bakeExperimentId, {
          challenger: old,
          startedAt: Date.parse(asOf),
          extendedMs: 0,
          decision: null,
          reason: null,
        });
        const next = {
          champion: test.challenger,
          previous: old,
          challenger: old,
          experimentId: bakeExperimentId,
          forced,
        };
        world.move(actor, 'promote', next);
        const bakeEndsAt = new Date(Date.parse(asOf) + world.plan.bakeMs).toISOString();
        return { epoch: world.route.epoch, bakeExperimentId, bakeEndsAt };
      },
      async checkBake({ experimentId }) {
        const facts = {
          ...world.bake(),
          champion: { n: 900, x: 600 },
          holdback: { n: 100, x: 60 },
          summary: 'champion 600/900, holdback 60/100',
        };
        if (world.route.experimentId === experimentId) return facts;
        return { ...facts, rollback: world.route.action === 'harm_stop', routeChanged: world.#changed() };
      },
      async endBake({ experimentId }) {
        if (world.route.experimentId !== experimentId) return world.#changed();
        world.move('cycle', 'end_bake');
        return { epoch: world.route.epoch };
      },
      async undoRoute({ actor }) {
        if (world.route.experimentId === null) return { undone: false };
        const baking = world.route.previous !== null;
        const back = baking ? { champion: world.route.previous!, previous: null } : {};
        world.move(actor, baking ? 'rollback' : 'end_experiment', back);
        return { undone: true };
      },
      async planRollback({ model, toVersion }) {
        const { champion, previous, epoch } = world.route;
        const target = toVersion ?? previous;
        if (target === null) throw new UnderstudyError('nothing_to_roll_back', { model });
        return { model, toVersion: target, fromVersion: champion, epoch };
      },
      async rollbackRoute({ toVersion, actor }) {
        const { champion: fromVersion, challenger } = world.route;
        const baking = world.route.previous !== null;
        world.move(actor, 'rollback', { champion: toVersion, previous: null });
        const { epoch } = world.route;
        const cycleWorkflowId = world.live?.workflowId ?? null;
        return { epoch, fromVersion, toVersion, cycleWorkflowId, candidate: baking ? fromVersion : challenger };
      },
    };
    return this.#recorded(implemented);
  }

  #recorded(activities: Activities): Activities {
    const entries = Object.entries(activities) as [Name, (input: never) => Promise<unknown>][];
    return Object.fromEntries(
      entries.map(([name, activity]) => [
        name,
        async (input: never) => {
          const attempt = (this.#attempts.get(name) ?? 0) + 1;
          this.#attempts.set(name, attempt);
          await this.before.get(name)?.(input, attempt);
          this.calls.push({ name, input });
          return activity(input);
        },
      ]),
    ) as unknown as Activities;
  }
}
