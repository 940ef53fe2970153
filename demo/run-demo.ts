import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { readDemoData } from '#setup/demo-data.mjs';
import type { DemoOptions } from '#setup/demo-options.mjs';
import { temporalCliPath } from '#setup/toolchain.mjs';
import { applyModel } from '../src/registry/index.js';
import { readRoute } from '../src/routing/index.js';
import { cycleWorkflowId, RETRAINING_CYCLE, signalCycle, TASK_QUEUE } from '../src/temporal/index.js';
import { collectFacts } from './collect-facts.js';
import { Customers } from './customers.js';
import type { FeedbackStyle } from './feedback-style.js';
import { type CycleEnd, followCycle } from './follow-cycle.js';
import { askWhatIsLeft, leftovers } from './left-behind.js';
import { liveArms } from './live-arms.js';
import { demoPolicy, MODEL } from './policy.js';
import { Progress } from './progress.js';
import { again, once } from './question-feed.js';
import { generateQuestions, type Question } from './questions.js';
import { buildResult, type DemoResult } from './result.js';
import { createScreen, type Screen } from './screen.js';
import { GENERATED_QUESTIONS, type QuestionSplit, splitQuestions } from './split.js';
import { customersKey, type Stage, setStage } from './stage.js';
import { beforeAfterTable, trafficLine } from './table.js';

/** Traffic before the cycle ends here at the latest, however many questions are left. */
const ASKING_MS = 55_000;
/** Answers wait for each other in the adapter server's batches: fewer at once are slower, more add nothing. */
const CONCURRENCY = 24;
/** During experiment and bake, in requests per second: enough for the arms, and room for everything else on two cores. */
const LIVE_RATE = 120;

/** Ratings while the training data is gathered. */
const STYLES: Record<DemoOptions['scenario'], FeedbackStyle> = {
  better: 'honest',
  rollback: 'honest',
  'no-better': 'right-only',
  harmful: 'wrong-labels',
};

/** Runs the main job once, as `options` say. Returns the exit code: 0 exactly when the scenario ended as named. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const startedAt = performance.now();
  const progress = new Progress(process.stdout);
  const say = (line: string) => progress.print(line);
  say(
    `Understudy demo: scenario ${options.scenario}, seed ${options.seed}. The same seed gives the same customers, training and arms.`,
  );

  const questions =
    options.data === null ? generateQuestions(options.seed, GENERATED_QUESTIONS) : readDemoData(options.data);
  // The generator's questions are in the order of time, like those of a desk whose products change.
  const split = splitQuestions(questions, options.seed, {
    base: options.data === null ? 'oldest' : 'any',
    // Few examples of what it can do already: nothing new to learn from.
    ...(options.scenario === 'no-better' ? { atMostBefore: 1_500 } : {}),
  });
  const stage = await setStage(split, options.seed, say);
  try {
    const result = await play(stage, options, { questions, split, progress, startedAt });
    if (!result.ok) say(`The logs of all processes are in ${stage.keepLogs()}.`);
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
    if (!options.exit) {
      say('Everything stays up. Ctrl-C stops it.');
      await new Promise<never>(() => {});
    }
    return result.ok ? 0 : 1;
  } catch (error) {
    progress.end();
    say(`The demo broke off: ${error instanceof Error ? error.message : String(error)}`);
    say(`The logs of all processes are in ${stage.keepLogs()}.`);
    return 1;
  } finally {
    await stage.close();
  }
}

interface Play {
  questions: readonly Question[];
  split: QuestionSplit;
  progress: Progress;
  startedAt: number;
}

async function play(
  stage: Stage,
  options: DemoOptions,
  { questions, split, progress, startedAt }: Play,
): Promise<DemoResult> {
  const { db, stack, temporal } = stage;
  const say = (line: string) => progress.print(line);
  await applyModel(
    db,
    demoPolicy({
      scenario: options.scenario,
      skipEvaluation: options.skipEvaluation,
      seed: options.seed,
      base: stage.base,
      trainerUrl: stack.trainerUrl,
      adapterServerUrl: stage.adapterServerUrl,
      goldenSet: stage.goldenSet,
    }),
    { actor: 'demo' },
  );
  const championBefore = (await readRoute(db, MODEL)).champion;
  const customers = new Customers({
    gateway: stack.serverUrl,
    apiKey: await customersKey(db, MODEL),
    model: MODEL,
    seed: options.seed,
    labels: [...new Set(questions.map(({ intent }) => intent))],
  });
  stage.supervisor.defer('customers', () => customers.close());
  const screen = createScreen(options, customers, progress, startedAt);

  await askBefore(customers, split, STYLES[options.scenario], screen);

  const command = startCommand(stack.temporalAddress);
  say(`\n$ temporal ${command.map(quoted).join(' ')}`);
  await promisify(execFile)(temporalCliPath(), command);
  say(`  watch it: ${stack.temporalUiUrl}/namespaces/${stack.temporalNamespace}/workflows/${cycleWorkflowId(MODEL)}\n`);

  let live = false;
  let rolledBack = false;
  const end = await followCycle({ client: temporal.client, db, model: MODEL }, async (status, training) => {
    if (!live && status.experiment !== null && status.outcome === null) {
      live = true;
      void customers.start({ questions: again(split.live), concurrency: CONCURRENCY, ratePerSecond: LIVE_RATE });
    }
    if (options.scenario === 'rollback' && !rolledBack && status.phase === 'baking' && status.candidate !== null) {
      rolledBack = true;
      const reason = 'the demo was asked to roll back during the bake';
      await signalCycle(temporal.client, MODEL, 'rollback', { candidate: status.candidate, actor: 'demo', reason });
    }
    screen.cycle(status, training, await liveArms(db, status));
  });
  await settle(customers);
  progress.end();
  return report({ stage, options, customers, end, championBefore, startedAt, say });
}

/** The answers after the cycle show who is in charge now; then customers go home. */
async function settle(customers: Customers): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await customers.stop();
}

async function askBefore(
  customers: Customers,
  split: QuestionSplit,
  style: FeedbackStyle,
  screen: Screen,
): Promise<void> {
  const asking = customers.start({ questions: once(split.before), concurrency: CONCURRENCY, style });
  const timer = setInterval(() => screen.asking(split.before.length), 500);
  const limit = setTimeout(() => void customers.stop(), ASKING_MS);
  try {
    await asking;
  } finally {
    clearInterval(timer);
    clearTimeout(limit);
  }
  screen.asking(split.before.length);
}

interface Ending {
  stage: Stage;
  options: DemoOptions;
  customers: Customers;
  end: CycleEnd;
  championBefore: number;
  startedAt: number;
  say: (line: string) => void;
}

async function report({ stage, options, customers, end, championBefore, startedAt, say }: Ending): Promise<DemoResult> {
  const { db, stack, temporal } = stage;
  const traffic = customers.totals();
  const route = await readRoute(db, MODEL);
  const { candidate, boundary, ...facts } = await collectFacts(db, temporal.client, MODEL);
  const left = await whatIsLeft(stage);
  const result = buildResult({
    scenario: options.scenario,
    seed: options.seed,
    skipEvaluation: options.skipEvaluation,
    ...facts,
    champion_before: championBefore,
    champion_after: route.champion,
    requests: traffic.requests,
    failed_requests: traffic.failed,
    seconds: (performance.now() - startedAt) / 1000,
  });
  const ok = result.ok && left.length === 0;
  const ended = 'outcome' in end ? `${end.outcome.outcome} (${end.outcome.reason})` : `failed: ${end.failed}`;
  say(`\nThe cycle ended: ${ended}. Sandbox: its A/B test lasted seconds, not 48 hours.`);
  if (facts.experiment) {
    const { champion, challenger, interval, z, p } = facts.experiment;
    const number = (value: number | null) => (value === null ? '–' : value.toPrecision(3));
    const between = interval === null ? 'not tested' : `in [${number(interval[0])}, ${number(interval[1])}] (95 %)`;
    say(
      `A/B: champion ${champion.x}/${champion.n}, challenger ${challenger.x}/${challenger.n}, difference ${between}, z ${number(z)} against ${number(boundary)}, p ${number(p)}.`,
    );
  }
  say(`\n${beforeAfterTable(traffic, { before: championBefore, after: route.champion, candidate })}\n`);
  say(trafficLine(traffic));
  for (const line of left) say(`LEFT BEHIND: ${line}`);
  say(
    `${ok ? 'ok' : 'NOT ok'}: scenario ${options.scenario}${ok ? ' ended as named' : ' did not end as named'}, ${result.seconds.toFixed(0)} s.`,
  );
  say(`
Temporal UI   ${stack.temporalUiUrl}/namespaces/${stack.temporalNamespace}/workflows/${cycleWorkflowId(MODEL)}
Gateway, API  ${stack.serverUrl}/v1/chat/completions, ${stack.serverUrl}/openapi.json
Trainer       ${stack.trainerUrl}/v1/fine_tuning/jobs
Adapters      ${stage.adapterServerUrl}/v1/models`);
  if (!options.exit) {
    say(`
Look further, in another terminal:
  temporal workflow show --address ${stack.temporalAddress} --workflow-id ${cycleWorkflowId(MODEL)}
  node --env-file=${stage.environment} dist/src/cli.js model show ${MODEL}
  node --env-file=${stage.environment} dist/src/cli.js cycle status ${MODEL}
`);
  }
  return { ...result, ok };
}

/** Gives draining adapters their time, then lists what should not be there. */
async function whatIsLeft(stage: Stage): Promise<string[]> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const route = await readRoute(stage.db, MODEL);
    const rows = await stage.db.prisma.version.findMany({ where: { model: MODEL, kind: 'adapter' } });
    const kept = [route.champion, route.previous, route.challenger];
    const used = rows.filter(({ version }) => kept.includes(version)).map(({ servedAs }) => servedAs);
    const left = leftovers(await askWhatIsLeft(stage.stack.trainerUrl, stage.adapterServerUrl), used);
    if (left.length === 0 || Date.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function startCommand(address: string): string[] {
  const flags = { '--type': RETRAINING_CYCLE, '--task-queue': TASK_QUEUE, '--workflow-id': cycleWorkflowId(MODEL) };
  const input = JSON.stringify({ model: MODEL, trigger: 'demo' });
  return ['workflow', 'start', '--address', address, ...Object.entries(flags).flat(), '--input', input];
}

/** As one would type it; shown only, never given to a shell. */
function quoted(word: string): string {
  return /^[\w./:=-]+$/.test(word) ? word : `'${word}'`;
}
