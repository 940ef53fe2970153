import { z } from 'zod';
import { duration } from './duration.js';
import { httpUrl, variable } from './fields.js';

const lora = z.strictObject({
  /** Rank of the adapter, 1 to 256. */
  rank: z.int().min(1).max(256).default(16),
  /** Scale of the adapter; usually twice the rank. */
  alpha: z.number().positive().default(32),
  dropout: z.number().min(0).lt(1).default(0.1),
  /** Peak learning rate; null leaves it to the trainer. */
  learning_rate: z.number().positive().max(1).nullable().default(null),
  /** Rows a step; null leaves it to the trainer. */
  batch_size: z.int().min(1).max(1024).nullable().default(null),
});

/** Who trains, and how. */
export const trainer = z.strictObject({
  /** `reference`: the fine-tuning API with the `understudy` object, as spoken by trainer/. */
  provider: z.literal('reference').default('reference'),
  base_url: httpUrl.default('http://localhost:8900'),
  api_key: variable.nullable().default(null),
  lora: lora.prefault({}),
  epochs: z.int().min(1).max(100).default(2),
  /** From submit to finished; an absolute deadline. Later than this the job is cancelled. */
  max_duration: duration.prefault('8h'),
  seed: z.int().min(0).default(0),
});
