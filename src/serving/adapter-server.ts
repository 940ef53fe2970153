import { z } from 'zod';
import { errorDetail, UnderstudyError } from '../errors.js';

export interface LoadedModel {
  /** The name it answers to. */
  id: string;
  /** Folder it was loaded from; of a base model its id. */
  root: string | null;
}

/** One replica that can load and unload adapters while it serves. */
export interface AdapterServer {
  readonly url: string;
  models(signal?: AbortSignal): Promise<LoadedModel[]>;
  /** `already`: an adapter of this name is there, from wherever. */
  load(name: string, path: string, signal?: AbortSignal): Promise<'loaded' | 'already'>;
  /** `absent`: there was none of this name. */
  unload(name: string, signal?: AbortSignal): Promise<'unloaded' | 'absent'>;
}

const QUICK_MS = 10_000;
/** A large adapter from a slow disk takes its time. */
const LOAD_MS = 120_000;

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string(), root: z.string().nullish() })) });
const errorSchema = z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message);
const olderErrorSchema = z.object({ message: z.string() }).transform(({ message }) => message);

/**
 * A server that speaks vLLM's dynamic LoRA surface: `/v1/models`, `/v1/load_lora_adapter`, `/v1/unload_lora_adapter`.
 * Throws `serving_unreachable` (away, or in trouble of its own) and `serving_refused` (it will not, and a retry would not help).
 */
export function createAdapterServer(url: string, apiKey: string | undefined): AdapterServer {
  async function call(
    method: 'GET' | 'POST',
    path: string,
    options: { body?: unknown; timeoutMs: number; signal?: AbortSignal | undefined },
  ) {
    const { body, timeoutMs, signal } = options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      const text = await answer.text();
      if (answer.status >= 500 || answer.status === 429) throw unreachable(url, `HTTP ${answer.status}`);
      return { status: answer.status, text };
    } catch (error) {
      if (error instanceof UnderstudyError) throw error;
      if (signal?.aborted) throw signal.reason;
      throw unreachable(url, timeout.aborted ? `no answer within ${timeoutMs / 1_000} s` : errorDetail(error));
    }
  }

  return {
    url,
    async models(signal) {
      const { status, text } = await call('GET', '/v1/models', { timeoutMs: QUICK_MS, signal });
      const parsed = modelsSchema.safeParse(parseJson(text));
      if (status !== 200 || !parsed.success)
        throw refused(url, `GET /v1/models is not the OpenAI API (HTTP ${status})`);
      return parsed.data.data.map(({ id, root }) => ({ id, root: root ?? null }));
    },
    async load(name, path, signal) {
      const body = { lora_name: name, lora_path: path };
      const { status, text } = await call('POST', '/v1/load_lora_adapter', { body, timeoutMs: LOAD_MS, signal });
      if (status === 200) return 'loaded';
      const message = messageOf(text);
      if (status === 400 && /already been loaded/i.test(message)) return 'already';
      const hint =
        status === 404 || status === 405
          ? ' (does it run with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and see the artifact store?)'
          : '';
      throw refused(url, `loading ${name}: HTTP ${status} ${message}${hint}`);
    },
    async unload(name, signal) {
      const { status, text } = await call('POST', '/v1/unload_lora_adapter', {
        body: { lora_name: name },
        timeoutMs: QUICK_MS,
        signal,
      });
      if (status === 200) return 'unloaded';
      if (status === 404 || (status === 400 && /cannot be found|not found/i.test(messageOf(text)))) return 'absent';
      throw refused(url, `unloading ${name}: HTTP ${status} ${messageOf(text)}`);
    },
  };
}

function unreachable(url: string, detail: string): UnderstudyError {
  return new UnderstudyError('serving_unreachable', { url, detail });
}

function refused(url: string, detail: string): UnderstudyError {
  return new UnderstudyError('serving_refused', { url, detail });
}

/** The message of an error body, old or new style, short and on one line. */
function messageOf(text: string): string {
  const json = parseJson(text);
  const message = errorSchema.safeParse(json).data ?? olderErrorSchema.safeParse(json).data ?? '';
  return message.slice(0, 200).replace(/\s+/g, ' ');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
