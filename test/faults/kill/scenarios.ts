import { randomUUID } from 'node:crypto';
import { registerExternal } from '../../../src/registry/index.js';
import { askCycle, cancelCycle, startRollback } from '../../../src/temporal/cycles-client.js';
import type { CycleStack } from '../../support/cycle-stack.js';
import { fillArm } from '../../support/experiment-data.js';
import { writeTinyAdapter } from '../../support/tiny-adapter.js';
import { addModel, type StackModel } from '../stack-model.js';
import { until } from '../until.js';

/** One way a cycle can go: what is set up beforehand, and what somebody does while it runs. */
export interface Scenario {
  /** How many answers customers have corrected. */
  lessons: number;
  policy: Record<string, unknown>;
  prepare?: (stack: CycleStack, model: StackModel) => unknown;
  /** The cycle is about this version, which somebody has made elsewhere. */
  candidate?: number;
  /** People like the challenger; they have said so by the first look. */
  liked?: true;
  /** Runs beside the cycle; the programs may be gone at any moment. */
  meanwhile?: (stack: CycleStack, model: StackModel) => Promise<unknown>;
}

const PATIENCE_MS = 600_000;

const experiment = {
  share: 0.5,
  min_duration: '1s',
  max_duration: '10m',
  look_every: '40s',
  feedback_window: '100ms',
  target_effect: 0.3,
  min_samples_per_arm: 40,
  min_subjects_per_arm: 10,
  guardrails: [{ metric: 'error_rate', margin: 0.2 }],
};
const promotion = { bake: '1s', holdback: 0.2, max_degradation: 0.05 };
/** Nothing is decided while somebody is about to act. */
const quiet = { ...experiment, min_duration: '40m', max_duration: '60m', look_every: '10m' };

const live = ({ db }: CycleStack, { name: model }: StackModel, kind: string) =>
  until(
    `${model}: an experiment of kind ${kind} on the route`,
    () => db.prisma.experiment.findFirst({ where: { model, kind, endedAt: null } }),
    PATIENCE_MS,
  );

/** Almost everybody on the challenger's side is content, and half of the others. */
export async function likeChallenger({ db }: Pick<CycleStack, 'db'>, model: string): Promise<void> {
  const { id, startedAt } = await db.prisma.experiment.findFirstOrThrow({ where: { model, kind: 'ab' } });
  const common = { model, experimentId: id, subjects: 200, each: 1, from: startedAt };
  const sides = [
    { arm: 'champion', version: 1, positives: 100 },
    { arm: 'challenger', version: 2, positives: 195 },
  ] as const;
  for (const side of sides) await fillArm(db, { ...common, ...side });
}

async function bringAdapter({ db, artifacts }: CycleStack, { name: model }: StackModel): Promise<void> {
  const made = { baseModel: 'tiny/base', rank: 4 };
  const { uri, sha256 } = await writeTinyAdapter(artifacts, { ...made, seed: model });
  const by = { actor: 'ada', reason: 'made elsewhere' };
  await registerExternal(db, { model, source: { kind: 'adapter', uri, sha256, ...made }, ...by });
}

/** What an operator asks of Temporal, who asks again when there was no answer. */
const insist = (what: string, ask: () => Promise<unknown>) =>
  until(
    what,
    () =>
      ask().then(
        () => true,
        (error: { code?: string }) => error.code === 'conflict',
      ),
    PATIENCE_MS,
  );

/** Between them they meet every activity; a scenario's steps count where they part from those of the ones before it. */
export const SCENARIOS: Record<string, Scenario> = {
  promoted: { lessons: 24, policy: { experiment, promotion }, liked: true },
  undecided: { lessons: 24, policy: { experiment: { ...experiment, max_duration: '1s' }, promotion } },
  'rolled-back': {
    lessons: 24,
    policy: { experiment, promotion: { ...promotion, bake: '1h' } },
    liked: true,
    async meanwhile(stack, model) {
      await live(stack, model, 'bake');
      const order = { model: model.name, actor: 'ada', reason: 'complaints' };
      await insist('the rollback', () => startRollback(stack.temporal.client, order));
    },
  },
  'cancelled-live': {
    lessons: 24,
    policy: { experiment: quiet, promotion },
    async meanwhile(stack, model) {
      await live(stack, model, 'ab');
      await insist('the end', () => cancelCycle(stack.temporal.client, model.name));
    },
  },
  extended: {
    lessons: 24,
    policy: { experiment: quiet, promotion },
    async meanwhile(stack, model) {
      await live(stack, model, 'ab');
      const order = { candidate: 2, by: '10m', actor: 'ada', reason: 'a slow week', request_id: 'longer' };
      // Refused until the cycle knows what it has started.
      const ask = () => askCycle(stack.temporal.client, model.name, 'extend', order, { updateId: randomUUID() });
      await until('more time', ask, PATIENCE_MS);
      const where = { model: model.name, action: 'extend_experiment' };
      await until('it granted', () => stack.db.prisma.routeChange.findFirst({ where }), PATIENCE_MS);
      await insist('the end', () => cancelCycle(stack.temporal.client, model.name));
    },
  },
  'cancelled-training': {
    lessons: 24,
    policy: { experiment: quiet, promotion },
    prepare: (_, { trainer }) => {
      trainer.behaviour.outcome = 'hang';
    },
    async meanwhile(stack, model) {
      const where = { model: model.name, jobId: { not: null } };
      await until('a job', () => stack.db.prisma.trainingRun.findFirst({ where }), PATIENCE_MS);
      await insist('the end', () => cancelCycle(stack.temporal.client, model.name));
    },
  },
  'shadow-in-vain': {
    lessons: 24,
    policy: { experiment: { ...experiment, shadow_first: { duration: '1s', min_answers: 1 } }, promotion },
  },
  'cancelled-shadow': {
    lessons: 24,
    policy: { experiment: { ...experiment, shadow_first: { duration: '1h' } }, promotion },
    async meanwhile(stack, model) {
      const where = { model: model.name };
      await until('a shadow', () => stack.db.prisma.shadow.findFirst({ where }), PATIENCE_MS);
      await insist('the end', () => cancelCycle(stack.temporal.client, model.name));
    },
  },
  adopted: {
    lessons: 0,
    policy: { experiment: { ...experiment, max_duration: '1s' }, promotion },
    prepare: bringAdapter,
    candidate: 2,
  },
  'too-few': { lessons: 5, policy: { experiment, promotion } },
};

/** A model that is about to go this way, under a name of its own. */
export async function enact(stack: CycleStack, name: string, scenario: Scenario): Promise<StackModel> {
  const model = await addModel(stack, name, scenario.policy);
  await scenario.prepare?.(stack, model);
  if (scenario.lessons > 0) await model.teach(scenario.lessons);
  return model;
}
