import { setTimeout as sleep } from 'node:timers/promises';
import type { StackModel } from './stack-model.js';

export interface TrafficTotals {
  requests: number;
  failed: number;
  /** Answers by the version that gave them. */
  answered: Record<string, number>;
}

export interface Traffic {
  totals: TrafficTotals;
  /** Ends it and waits for what is under way. */
  stop(): Promise<TrafficTotals>;
}

const SUBJECTS = 60;
const CUSTOMERS = 6;

/** Sixty people who ask the gateway by turns and rate every answer at once: thumbs up for "yes", down for anything else. */
export function startTraffic(model: StackModel, perSecond = 40): Traffic {
  const totals: TrafficTotals = { requests: 0, failed: 0, answered: {} };
  const stopping = new AbortController();
  let asked = 0;

  async function ask(): Promise<void> {
    const number = asked++;
    totals.requests += 1;
    const question = { messages: [{ role: 'user', content: `${model.name}: question ${number}` }] };
    const answer = await model.post(
      '/v1/chat/completions',
      { model: model.name, ...question },
      { 'x-understudy-subject': `person-${number % SUBJECTS}` },
    );
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const { id, choices } = (await answer.json()) as { id: string; choices: { message: { content: string } }[] };
    const version = answer.headers.get('x-understudy-version') ?? 'unknown';
    totals.answered[version] = (totals.answered[version] ?? 0) + 1;
    const value = choices[0]?.message.content === 'yes' ? 1 : -1;
    const rated = await model.post('/v1/feedback', { feedback: [{ interaction: id, kind: 'thumbs', value }] });
    if (!rated.ok) throw new Error(`HTTP ${rated.status}`);
    await rated.body?.cancel();
  }

  async function customer(): Promise<void> {
    while (!stopping.signal.aborted) {
      const next = performance.now() + (1_000 * CUSTOMERS) / perSecond;
      await ask().catch(() => {
        totals.failed += 1;
      });
      await sleep(Math.max(1, next - performance.now()), undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const customers = Promise.all(Array.from({ length: CUSTOMERS }, customer));
  return {
    totals,
    async stop() {
      stopping.abort();
      await customers;
      return totals;
    },
  };
}
