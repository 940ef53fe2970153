import { type Drop, type FakeAnswer, type FakeRequest, openAiError, startHttpFake } from './http-fake.js';
import { type TinyAdapter, writeTinyAdapter } from './tiny-adapter.js';

/** How the jobs made from now on go; change any field at any time. Times are wall-clock milliseconds. */
export interface FakeTrainerBehaviour {
  queuedMs: number;
  /** What a waiting job is called; a word nobody knows must be taken as "still going". */
  queuedAs: string;
  runningMs: number;
  /** `hang`: runs until it is cancelled, or until `finishAll()`. */
  outcome: 'succeed' | 'fail' | 'cancelled' | 'hang';
  /** What the finished job reports and what lies in the store. */
  adapter:
    | 'right'
    | 'wrong_digest'
    | 'changed_file'
    | 'pickle'
    | 'extra_file'
    | 'other_base'
    | 'other_rank'
    | 'outside'
    | 'missing'
    | 'none';
  /** How job reads are answered. */
  answers: 'right' | 'nonsense' | 'html' | 'error';
  /** New jobs are refused with this message (400). */
  refusesJobs: string | undefined;
  /** A second job with the same key answers the first one, as the reference trainer does. Other providers make a new one. */
  idempotentByKey: boolean;
  /** A cancelled job takes this long to stop. */
  cancelMs: number;
  steps: number;
  firstLoss: number;
  lastLoss: number;
}

/** What a job is created with: OpenAI's fields and the `understudy` object. */
export interface FakeJobBody {
  model: string;
  training_file: string;
  validation_file?: string;
  seed?: number;
  suffix?: string;
  method?: unknown;
  metadata?: Record<string, string>;
  understudy?: {
    key: string;
    base_model: string;
    lora: { rank: number; alpha: number; dropout: number };
    seed: number;
  };
}

export interface FakeJob {
  id: string;
  key: string | undefined;
  /** The body it was created with. */
  body: FakeJobBody;
  createdAt: number;
  finishedAt: number | undefined;
  cancelledAt: number | undefined;
  behaviour: FakeTrainerBehaviour;
  adapter: TinyAdapter | undefined;
}

export interface FakeTrainer {
  url: string;
  behaviour: FakeTrainerBehaviour;
  /** Every job ever created, oldest first. */
  jobs: FakeJob[];
  /** Uploaded files by id: name and text. */
  files: Map<string, { filename: string; text: string }>;
  requests: string[];
  statusOf(job: FakeJob): string;
  /** Jobs that are neither succeeded, failed nor cancelled. */
  liveJobs(): FakeJob[];
  /** Lets jobs that hang or run succeed at once. */
  finishAll(): void;
  drop(times: number, when: Drop, matching?: RegExp): void;
  close(): Promise<void>;
}

/**
 * The OpenAI fine-tuning API (files, jobs, events, cancel) with the `understudy` object, without any training: a job
 * "trains" for `runningMs` and then lies as a tiny real adapter in `<artifactsRoot>/adapters/<digest>/`.
 */
export async function startFakeTrainer(
  options: { artifactsRoot: string } & Partial<FakeTrainerBehaviour>,
): Promise<FakeTrainer> {
  const { artifactsRoot, ...given } = options;
  const behaviour: FakeTrainerBehaviour = {
    queuedMs: 0,
    queuedAs: 'queued',
    runningMs: 50,
    outcome: 'succeed',
    adapter: 'right',
    answers: 'right',
    refusesJobs: undefined,
    idempotentByKey: true,
    cancelMs: 0,
    steps: 20,
    firstLoss: 3.2,
    lastLoss: 0.4,
    ...given,
  };
  const jobs: FakeJob[] = [];
  const files = new Map<string, { filename: string; text: string }>();

  const http = await startHttpFake(async (request) => {
    const [, version, kind, ...rest] = request.path.split('/');
    if (request.path === '/healthz') return { body: { status: 'ok' } };
    if (version === 'v1' && kind === 'files') return answerFiles(request, rest);
    if (version === 'v1' && kind === 'fine_tuning' && rest[0] === 'jobs') return answerJobs(request, rest.slice(1));
    return openAiError(404, 'no such route');
  });

  async function answerFiles(request: FakeRequest, [id]: string[]): Promise<FakeAnswer> {
    if (request.method === 'POST') {
      const form = await new Response(new Uint8Array(request.body), {
        headers: { 'content-type': request.headers['content-type'] ?? '' },
      }).formData();
      const file = form.get('file');
      if (form.get('purpose') !== 'fine-tune' || file === null || typeof file === 'string')
        return openAiError(400, 'file and purpose=fine-tune are needed');
      const text = await file.text();
      for (const line of text.split('\n').filter(Boolean)) JSON.parse(line);
      const fileId = `file-${files.size + 1}`;
      files.set(fileId, { filename: file.name, text });
      return { body: describeFile(fileId) };
    }
    if (id !== undefined) return files.has(id) ? { body: describeFile(id) } : openAiError(404, 'no such file');
    return { body: { object: 'list', data: [...files.keys()].map(describeFile), has_more: false } };
  }

  function describeFile(id: string) {
    const { filename, text } = files.get(id)!;
    return {
      id,
      object: 'file',
      bytes: Buffer.byteLength(text),
      created_at: 1,
      filename,
      purpose: 'fine-tune',
      status: 'processed',
    };
  }

  async function answerJobs(request: FakeRequest, [id, verb]: string[]): Promise<FakeAnswer> {
    if (request.method === 'POST' && id === undefined) return createJob(JSON.parse(request.body.toString()));
    if (id === undefined) return listJobs(request.query);
    const job = jobs.find((one) => one.id === id);
    if (job === undefined) return openAiError(404, 'no such job');
    if (verb === 'cancel') {
      if (isOver(job)) return openAiError(400, 'the job has already ended');
      job.cancelledAt ??= Date.now();
      return { body: await describeJob(job) };
    }
    if (behaviour.answers === 'nonsense') return { body: { hello: ['world'] } };
    if (behaviour.answers === 'html') return { body: '<!doctype html><title>Welcome to nginx!</title>' };
    if (behaviour.answers === 'error') return openAiError(500, 'the server had an error', 'server_error');
    if (verb === 'events') return { body: { object: 'list', data: events(job), has_more: false } };
    return { body: await describeJob(job) };
  }

  async function createJob(body: FakeJobBody): Promise<FakeAnswer> {
    if (behaviour.refusesJobs !== undefined) return openAiError(400, behaviour.refusesJobs);
    const key: string | undefined = body.metadata?.understudy_key;
    const earlier = behaviour.idempotentByKey
      ? jobs.find((one) => one.key !== undefined && one.key === key)
      : undefined;
    if (earlier) return { body: await describeJob(earlier) };
    if (!files.has(body.training_file)) return openAiError(400, 'training_file does not exist');
    const job: FakeJob = {
      id: `ftjob-${jobs.length + 1}`,
      key,
      body,
      createdAt: Date.now(),
      finishedAt: undefined,
      cancelledAt: undefined,
      behaviour: { ...behaviour },
      adapter: undefined,
    };
    jobs.push(job);
    return { body: await describeJob(job) };
  }

  async function listJobs(query: URLSearchParams): Promise<FakeAnswer> {
    const limit = Number(query.get('limit') ?? 20);
    const newestFirst = [...jobs].reverse();
    const after = query.get('after');
    const from = after === null ? 0 : newestFirst.findIndex(({ id }) => id === after) + 1;
    const page = newestFirst.slice(from, from + limit);
    const data = await Promise.all(page.map(describeJob));
    return { body: { object: 'list', data, has_more: from + limit < newestFirst.length } };
  }

  function statusOf(job: FakeJob): string {
    const now = Date.now();
    const { queuedMs, queuedAs, runningMs, outcome, cancelMs } = job.behaviour;
    if (job.finishedAt !== undefined) return 'succeeded';
    if (job.cancelledAt !== undefined) return now < job.cancelledAt + cancelMs ? 'running' : 'cancelled';
    if (now < job.createdAt + queuedMs) return queuedAs;
    if (outcome === 'hang' || now < job.createdAt + queuedMs + runningMs) return 'running';
    if (outcome === 'fail') return 'failed';
    if (outcome === 'cancelled') return 'cancelled';
    return 'succeeded';
  }

  const isOver = (job: FakeJob) => ['succeeded', 'failed', 'cancelled'].includes(statusOf(job));

  async function describeJob(job: FakeJob) {
    const status = statusOf(job);
    if (status === 'succeeded') job.finishedAt ??= Date.now();
    const { steps, firstLoss, lastLoss } = job.behaviour;
    const done = status === 'succeeded' && job.behaviour.adapter !== 'none';
    if (done) job.adapter ??= await makeAdapter(job);
    return {
      id: job.id,
      object: 'fine_tuning.job',
      created_at: Math.floor(job.createdAt / 1_000),
      finished_at: isOver(job) ? Math.floor(Date.now() / 1_000) : null,
      model: job.body.model,
      fine_tuned_model: done ? `ft:${job.id}` : null,
      organization_id: 'org-fake',
      result_files: [],
      status,
      trained_tokens: done ? 1_000 : null,
      training_file: job.body.training_file,
      validation_file: job.body.validation_file ?? null,
      hyperparameters: { n_epochs: 1, batch_size: 8, learning_rate_multiplier: 1 },
      error: status === 'failed' ? { code: 'server_error', message: 'CUDA out of memory', param: null } : null,
      metadata: job.body.metadata ?? null,
      seed: job.body.seed ?? 0,
      understudy: {
        ...job.body.understudy,
        ...(done && {
          adapter: job.adapter,
          metrics: {
            steps,
            first_loss: firstLoss,
            last_loss: lastLoss,
            validation_loss: null,
            seconds: 1.5,
            rows: rowsOf(job),
          },
        }),
      },
    };
  }

  function rowsOf(job: FakeJob): number {
    return files.get(job.body.training_file)!.text.split('\n').filter(Boolean).length;
  }

  async function makeAdapter(job: FakeJob): Promise<TinyAdapter> {
    const how = job.behaviour.adapter;
    const baseModel: string = job.body.understudy?.base_model ?? job.body.model;
    const rank: number = job.body.understudy?.lora?.rank ?? 16;
    const adapter = await writeTinyAdapter(artifactsRoot, {
      baseModel: how === 'other_base' ? 'somebody/another-base' : baseModel,
      rank: how === 'other_rank' ? rank + 1 : rank,
      seed: `${job.id}/${job.key}`,
      ...(how === 'extra_file' && { extra: { 'training_args.bin': 'pickle' } }),
      // What `torch.save` writes: a zip of pickles under the name of a safetensors file.
      ...(how === 'pickle' && { weights: Buffer.from('PK\u0003\u0004archive/data.pkl') }),
      ...(how === 'changed_file' && { weights: Buffer.from('changed after the digest was taken') }),
    });
    const elsewhere = '0'.repeat(64);
    if (how === 'wrong_digest') return { ...adapter, sha256: elsewhere };
    if (how === 'changed_file') return { ...adapter, sha256: elsewhere, uri: `artifact:adapters/${adapter.sha256}` };
    if (how === 'missing') return { ...adapter, sha256: elsewhere, uri: `artifact:adapters/${elsewhere}` };
    if (how === 'outside') return { ...adapter, uri: 'artifact:adapters/../../etc' };
    return adapter;
  }

  /** Newest first, as OpenAI answers them. */
  function events(job: FakeJob) {
    const { queuedMs, runningMs, steps, firstLoss, lastLoss } = job.behaviour;
    const share = Math.max(0, Math.min(1, (Date.now() - job.createdAt - queuedMs) / Math.max(1, runningMs)));
    const step = Math.floor(share * steps);
    const all = Array.from({ length: step }, (_, i) => ({
      object: 'fine_tuning.job.event',
      id: `ftevent-${job.id}-${i + 1}`,
      created_at: Math.floor(job.createdAt / 1_000),
      level: 'info',
      type: 'metrics',
      message: `Step ${i + 1}/${steps}`,
      data: { step: i + 1, total_steps: steps, train_loss: firstLoss + ((lastLoss - firstLoss) * (i + 1)) / steps },
    }));
    return all.reverse();
  }

  return {
    url: http.url,
    behaviour,
    jobs,
    files,
    requests: http.requests,
    statusOf,
    liveJobs: () => jobs.filter((job) => !isOver(job)),
    finishAll() {
      for (const job of jobs) {
        if (!isOver(job)) job.finishedAt = Date.now();
      }
    },
    drop: http.drop,
    close: http.close,
  };
}
