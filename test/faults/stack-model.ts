import { createHash } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { applyModel } from '../../src/registry/index.js';
import { type CycleStatus, cycleStatus, cycleWorkflowId, startCycle } from '../../src/temporal/index.js';
import type { CycleStack } from '../support/cycle-stack.js';
import { type FakeTrainer, startFakeTrainer } from '../support/fake-trainer.js';
import { type FakeVllm, startFakeVllm } from '../support/fake-vllm.js';
import { until } from './until.js';

/** A model on a stack, with a trainer and an adapter server of its own, so that models do not share their troubles. */
export interface StackModel {
  name: string;
  trainer: FakeTrainer;
  vllm: FakeVllm;
  /** Share of the questions that the base and the trained versions answer with "yes", which customers call right. */
  right: { base: number; trained: number };
  /** Stores so many answers that customers corrected, through the API. */
  teach(count: number): Promise<void>;
  /** Starts a cycle, of a version that is there already where one is given. */
  start(candidate?: number): Promise<WorkflowHandle>;
  /** Waits until the cycle says this of itself; a worker has to be up for that. */
  comesTo(what: string, holds: (status: CycleStatus) => boolean, timeoutMs?: number): Promise<CycleStatus>;
  /** Sends JSON with the stack's key. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

/** Applies a policy with seconds instead of days; `sections` are laid over it. */
export async function addModel(
  stack: CycleStack,
  name: string,
  sections: Record<string, unknown> = {},
): Promise<StackModel> {
  const right = { base: 0.4, trained: 0.9 };
  // The trainer makes a new job each time it is asked: that there is one job is the cycle's doing alone.
  const trainer = await startFakeTrainer({ artifactsRoot: stack.artifacts, idempotentByKey: false });
  const vllm = await startFakeVllm({
    answer: ({ version, question }) => {
      const share = version === undefined ? right.base : right.trained;
      return createHash('sha256').update(question).digest().readUInt16BE(0) / 65_536 < share ? 'yes' : 'no';
    },
  });
  await applyModel(stack.db, policyDocument(name, trainer, vllm, sections), { actor: 'test' });
  const { client } = stack.temporal;

  const post: StackModel['post'] = (path, body, headers = {}) =>
    fetch(stack.serverUrl + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  return {
    name,
    trainer,
    vllm,
    right,
    post,
    async teach(count) {
      const interactions = Array.from({ length: count }, (_, i) => ({
        external_id: `lesson-${i}`,
        timestamp: new Date(Date.now() - 60_000 + i).toISOString(),
        model: name,
        subject: `pupil-${i}`,
        request: { messages: [{ role: 'user', content: `What is lesson ${i}?` }] },
        response: { choices: [{ index: 0, message: { role: 'assistant', content: 'no' }, finish_reason: 'stop' }] },
        version: 1,
        feedback: [{ kind: 'correction', value: 'yes' }],
      }));
      const answer = (await (await post('/v1/interactions', { interactions })).json()) as {
        results: { status: string }[];
      };
      const refused = answer.results.filter(({ status }) => status !== 'stored');
      if (refused.length > 0) throw new Error(`not stored: ${JSON.stringify(refused[0])}`);
    },
    async start(candidate) {
      await startCycle(client, { model: name, ...(candidate !== undefined && { candidate }) });
      return client.workflow.getHandle(cycleWorkflowId(name));
    },
    comesTo(what, holds, timeoutMs) {
      return until(
        `${name}: ${what}`,
        async () => {
          const status = await cycleStatus(client, name, 2_000);
          return status !== null && holds(status) && status;
        },
        timeoutMs,
      );
    },
    async close() {
      await Promise.all([trainer.close(), vllm.close()]);
    },
  };
}

function policyDocument(name: string, trainer: FakeTrainer, vllm: FakeVllm, sections: Record<string, unknown>) {
  return {
    name,
    base_model: 'tiny/base',
    upstream: { base_url: `${vllm.url}/v1`, model: 'base', timeout: '10s' },
    sandbox: true,
    trainer: { base_url: trainer.url, lora: { rank: 4 }, epochs: 1 },
    serving: { base_urls: [vllm.url], drain: '200ms' },
    triggers: { min_new_examples: 20 },
    experiment: {
      share: 0.5,
      min_duration: '3s',
      max_duration: '60s',
      look_every: '3s',
      feedback_window: '1s',
      min_samples_per_arm: 40,
      min_subjects_per_arm: 10,
      guardrails: [{ metric: 'error_rate', margin: 0.2 }],
    },
    promotion: { bake: '4s', holdback: 0.2, max_degradation: 0.05 },
    ...sections,
  };
}
