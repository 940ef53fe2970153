import { z } from 'zod';
import { errorDetail, UnderstudyError } from '../errors.js';
import { safeDetail } from './safe-detail.js';

export interface ApiRequest {
  method: 'GET' | 'POST';
  path: string;
  /** Sent as JSON, or as multipart when it is FormData. */
  body?: unknown;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

const errorBody = z.object({ error: z.object({ message: z.string() }) });

/** JSON over HTTP to a trainer, with its troubles told apart: away, not the API, or refusing. */
export class ApiClient {
  readonly url: string;
  readonly #apiKey: string | undefined;

  constructor(url: string, apiKey: string | undefined) {
    this.url = url;
    this.#apiKey = apiKey;
  }

  /** The answer, checked by `schema`. Undefined for a 404 where `optional` says that one may be. */
  async call<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T>;
  async call<T>(request: ApiRequest & { optional: true }, schema: z.ZodType<T>): Promise<T | undefined>;
  async call<T>(request: ApiRequest & { optional?: true }, schema: z.ZodType<T>): Promise<T | undefined> {
    const where = `${request.method} ${request.path.replace(/\?.*/, '')}`;
    const { status, text } = await this.#send(request);
    if (status === 404 && request.optional) return undefined;
    if (status === 408 || status === 429 || status >= 500) throw this.#unreachable(`HTTP ${status}`);
    const json = parseJson(text);
    if (status === 400 || status === 409 || status === 413 || status === 422) {
      const said = errorBody.safeParse(json);
      throw new UnderstudyError('training_failed', {
        detail: `the trainer refuses ${where}, HTTP ${status}${said.success ? `: ${safeDetail(said.data.error.message)}` : ''}`,
      });
    }
    if (status !== 200 && status !== 201) throw nonsense(`HTTP ${status} to ${where}`);
    const parsed = schema.safeParse(json);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw nonsense(
        json === undefined ? `no JSON to ${where}` : `${issue?.path.join('.') || 'body'} of ${where}: ${issue?.code}`,
      );
    }
    return parsed.data;
  }

  async #send({
    method,
    path,
    body,
    timeoutMs = 30_000,
    signal,
  }: ApiRequest): Promise<{ status: number; text: string }> {
    const isForm = body instanceof FormData;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await fetch(`${this.url}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(this.#apiKey !== undefined && { authorization: `Bearer ${this.#apiKey}` }),
          ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
        redirect: 'manual',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      // Stopped by us: not the trainer's fault.
      if (signal?.aborted) throw signal.reason;
      throw this.#unreachable(timeout.aborted ? `no answer within ${timeoutMs / 1_000} s` : errorDetail(error), error);
    }
  }

  #unreachable(detail: string, cause?: unknown): UnderstudyError {
    return new UnderstudyError('trainer_unreachable', { url: this.url, detail }, { cause });
  }
}

export function nonsense(detail: string): UnderstudyError {
  return new UnderstudyError('trainer_nonsense', { detail });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
