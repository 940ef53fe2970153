import type { Db } from '../db/index.js';
import { redactAnswer, storableJson, usageOf } from '../interactions/index.js';

export interface ShadowAnswer {
  /** Of the interaction whose request it is. */
  id: string;
  model: string;
  version: number;
  status: 'complete' | 'failed';
  response: Record<string, unknown> | null;
  /** Why there is none; safe to store and to show. */
  failure: string | null;
  latencyMs: number;
}

/** Stores what a shadow answered, redacted as captures of the model are; a second time changes nothing. */
export async function storeShadowAnswer(db: Pick<Db, 'pool'>, answer: ShadowAnswer): Promise<void> {
  const { promptTokens, completionTokens } = usageOf(answer.response);
  const response = answer.response && (await redactAnswer(db, answer.model, answer.response));
  await db.pool.query({
    name: 'understudy-insert-shadow-answer',
    text: `INSERT INTO shadow_answers
        (id, model, version, status, response, failure, latency_ms, prompt_tokens, completion_tokens)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
    values: [
      answer.id,
      answer.model,
      answer.version,
      answer.status,
      response === null ? null : storableJson(response),
      answer.failure,
      Math.min(2_147_483_647, Math.round(answer.latencyMs)),
      promptTokens,
      completionTokens,
    ],
  });
}
