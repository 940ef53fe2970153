import { createHash } from 'node:crypto';
import { type CapturedInteraction, newId } from '../../src/interactions/index.js';

/** Epoch milliseconds. A day of traffic is a day of ids: what tables look like after months is made of the time in their keys. */
export interface Span {
  from: number;
  to: number;
}

export interface LiveExperiment {
  id: string;
  startedAt: number;
  share: number;
}

/** A row as `fill` makes them, asked just now. */
export function interactionAt(index: number, span: Span): CapturedInteraction {
  const askedAt = new Date(span.to - (index % 1_000));
  const noise = createHash('md5').update(String(index)).digest('hex');
  const subject = createHash('sha256')
    .update(`subject ${index % 100_000}`)
    .digest('hex');
  const id = newId(askedAt);
  return {
    id,
    model: 'sales',
    askedAt,
    subject,
    session: subject.slice(0, 16),
    experimentId: null,
    arm: null,
    assignedVersion: null,
    version: 1,
    status: 'complete',
    request: {
      model: 'sales',
      user: subject,
      messages: [
        { role: 'system', content: noise.repeat(8).slice(0, 240) },
        { role: 'user', content: noise.repeat(7).slice(0, 220) },
      ],
    },
    response: {
      id,
      object: 'chat.completion',
      choices: [
        { index: 0, message: { role: 'assistant', content: noise.repeat(12).slice(0, 360) }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 120, completion_tokens: 90, total_tokens: 210 },
    },
    latencyMs: 40,
    tags: {},
  };
}
