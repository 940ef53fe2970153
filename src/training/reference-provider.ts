import { openAsBlob } from 'node:fs';
import { z } from 'zod';
import { UnderstudyError } from '../errors.js';
import { ApiClient, nonsense } from './api-client.js';
import { safeDetail } from './safe-detail.js';
import type { JobRequest, TrainingJob, TrainingProgress, TrainingProvider } from './training-provider.js';

const JOBS = '/v1/fine_tuning/jobs';
/** An upload is as long as the file is large. */
const UPLOAD_MS = 10 * 60_000;
const PAGE = 100;
/** Jobs that are looked through for a key on a trainer that does not filter by metadata. */
const MAX_PAGES = 100;

const loss = z
  .number()
  .nullish()
  .transform((value) => value ?? null);
const jobSchema = z.object({
  id: z.string().min(1).max(200),
  status: z.string().min(1).max(100),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
  understudy: z
    .object({
      adapter: z
        .object({
          uri: z.string().min(1).max(500),
          sha256: z.string().regex(/^[0-9a-f]{64}$/),
          base_model: z.string().min(1).max(500),
          rank: z.int().min(1),
        })
        .nullish(),
      metrics: z
        .object({
          steps: z.int().min(0),
          first_loss: loss,
          last_loss: loss,
          validation_loss: loss,
          seconds: loss,
          rows: loss,
        })
        .nullish(),
    })
    .nullish(),
});
const listSchema = z.object({ data: z.array(z.unknown()), has_more: z.boolean().nullish() });
const fileSchema = z.object({ id: z.string().min(1).max(200) });
const stepSchema = z.object({
  data: z.object({ step: z.int().min(0), total_steps: z.int().min(0).nullish(), train_loss: z.number().nullish() }),
});

/**
 * The OpenAI fine-tuning API as published (files, jobs, events, cancel) with an `understudy` object: in
 * `{key, base_model, lora, seed}`, out, on the finished job, `{adapter, metrics}`. Spoken by the reference trainer.
 */
export function createReferenceProvider(url: string, apiKey?: string): TrainingProvider {
  const api = new ApiClient(url, apiKey);

  async function findJobs(key: string, signal?: AbortSignal): Promise<TrainingJob[]> {
    const found: TrainingJob[] = [];
    let after: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      // The filter is part of the published API; a trainer that ignores it answers everything, so we look ourselves too.
      const query = new URLSearchParams({
        limit: `${PAGE}`,
        'metadata[understudy_key]': key,
        ...(after !== undefined && { after }),
      });
      const { data, has_more: more } = await api.call({ method: 'GET', path: `${JOBS}?${query}`, signal }, listSchema);
      // Other people's jobs may look like anything; only those with our key must be what the contract says.
      const ours = data.filter((entry) => keyOf(entry) === key);
      found.push(...ours.map((entry) => toJob(parse(jobSchema, entry, 'a listed job'))));
      const last = data.at(-1) as { id?: unknown } | undefined;
      if (!more || typeof last?.id !== 'string' || last.id === after) break;
      after = last.id;
    }
    return found;
  }

  return {
    url,
    findJobs,
    async upload(name, path, signal) {
      const form = new FormData();
      form.set('purpose', 'fine-tune');
      form.set('file', await openAsBlob(path, { type: 'application/jsonl' }), name);
      const { id } = await api.call(
        { method: 'POST', path: '/v1/files', body: form, timeoutMs: UPLOAD_MS, signal },
        fileSchema,
      );
      return id;
    },
    async createJob(request, signal) {
      return toJob(await api.call({ method: 'POST', path: JOBS, body: jobBody(request), signal }, jobSchema));
    },
    async readJob(jobId, signal) {
      const job = await api.call(
        { method: 'GET', path: `${JOBS}/${encodeURIComponent(jobId)}`, signal, optional: true },
        jobSchema,
      );
      if (job !== undefined && job.id !== jobId) throw nonsense('another job than the one that was asked for');
      return job && toJob(job);
    },
    async readProgress(jobId, signal) {
      const path = `${JOBS}/${encodeURIComponent(jobId)}/events?limit=20`;
      const answer = await api.call({ method: 'GET', path, signal, optional: true }, listSchema);
      return latestStep(answer?.data ?? []);
    },
    async cancelJob(jobId, signal) {
      try {
        await api.call(
          { method: 'POST', path: `${JOBS}/${encodeURIComponent(jobId)}/cancel`, signal, optional: true },
          z.unknown(),
        );
      } catch (error) {
        // A job that has ended cannot be cancelled, and the API answers 400: whoever follows it sees its end.
        if (!(error instanceof UnderstudyError && error.code === 'training_failed')) throw error;
      }
    },
  };
}

function jobBody({ key, model, baseModel, trainingFile, validationFile, trainer }: JobRequest): unknown {
  const { rank, alpha, dropout, learning_rate, batch_size } = trainer.lora;
  return {
    model: baseModel,
    training_file: trainingFile,
    ...(validationFile !== null && { validation_file: validationFile }),
    suffix: model,
    seed: trainer.seed,
    method: {
      type: 'supervised',
      supervised: { hyperparameters: { n_epochs: trainer.epochs, ...(batch_size !== null && { batch_size }) } },
    },
    metadata: { understudy_key: key },
    understudy: {
      key,
      base_model: baseModel,
      lora: {
        rank,
        alpha,
        dropout,
        ...(learning_rate !== null && { learning_rate }),
      },
      seed: trainer.seed,
    },
  };
}

function toJob({ id, status, metadata, error, understudy }: z.output<typeof jobSchema>): TrainingJob {
  const key = metadata?.understudy_key;
  const said = [error?.code, error?.message].filter(Boolean).join(': ');
  return {
    id,
    key: typeof key === 'string' ? key : undefined,
    status,
    state: status === 'succeeded' || status === 'failed' || status === 'cancelled' ? status : 'going',
    error: said === '' ? undefined : safeDetail(said),
    adapter: understudy?.adapter ?? undefined,
    metrics: understudy?.metrics ?? undefined,
  };
}

function keyOf(entry: unknown): unknown {
  return (entry as { metadata?: { understudy_key?: unknown } | null } | null)?.metadata?.understudy_key;
}

function latestStep(events: unknown[]): Omit<TrainingProgress, 'status'> | undefined {
  const steps = events.flatMap((event) => stepSchema.safeParse(event).data?.data ?? []);
  const latest = steps.reduce<(typeof steps)[number] | undefined>(
    (best, step) => (best && best.step >= step.step ? best : step),
    undefined,
  );
  return latest && { step: latest.step, totalSteps: latest.total_steps ?? null, loss: latest.train_loss ?? null };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw nonsense(`${parsed.error.issues[0]?.path.join('.')} of ${what}: ${parsed.error.issues[0]?.code}`);
}
