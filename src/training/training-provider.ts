import type { Policy } from '../policy/index.js';

/** What a finished job says it made; nothing is believed before it was inspected. */
export interface ReportedAdapter {
  uri: string;
  sha256: string;
  base_model: string;
  rank: number;
}

/** Losses are null where the trainer does not say. */
export interface TrainingMetrics {
  steps: number;
  first_loss: number | null;
  last_loss: number | null;
  validation_loss: number | null;
  seconds: number | null;
  rows: number | null;
}

export interface TrainingJob {
  id: string;
  /** `metadata.understudy_key` */
  key: string | undefined;
  /** In the provider's words. */
  status: string;
  /** In ours: whatever is not known to have ended is still going. */
  state: 'going' | 'succeeded' | 'failed' | 'cancelled';
  /** Why it failed: at most 200 characters, quotations taken out. */
  error: string | undefined;
  adapter: ReportedAdapter | undefined;
  metrics: TrainingMetrics | undefined;
}

export interface TrainingProgress {
  status: string;
  step: number | null;
  totalSteps: number | null;
  loss: number | null;
}

export interface JobRequest {
  key: string;
  /** Name of the model the adapter is for; providers show it. */
  model: string;
  baseModel: string;
  trainingFile: string;
  validationFile: string | null;
  trainer: Policy['trainer'];
}

/**
 * An external trainer. Every call ends within a bounded time and throws `trainer_unreachable` (a retry may help),
 * `trainer_nonsense` (it does not speak the contract) or `training_failed` (it refuses what was asked).
 */
export interface TrainingProvider {
  readonly url: string;
  /** Jobs with this key, newest first. */
  findJobs(key: string, signal?: AbortSignal): Promise<TrainingJob[]>;
  /** Uploads a JSONL file and answers its id. */
  upload(name: string, path: string, signal?: AbortSignal): Promise<string>;
  createJob(request: JobRequest, signal?: AbortSignal): Promise<TrainingJob>;
  /** Undefined when the trainer does not know the job. */
  readJob(jobId: string, signal?: AbortSignal): Promise<TrainingJob | undefined>;
  /** The newest step that the job reported; undefined before the first. */
  readProgress(jobId: string, signal?: AbortSignal): Promise<Omit<TrainingProgress, 'status'> | undefined>;
  /** Asks for the end of a job; one that has ended already is left as it is. */
  cancelJob(jobId: string, signal?: AbortSignal): Promise<void>;
}

/** Makes the provider that a training run names. */
export type TrainingProviders = (target: {
  provider: string;
  baseUrl: string;
  apiKey: string | null;
}) => TrainingProvider;
