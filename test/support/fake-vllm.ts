import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FakeAnswer, type FakeRequest, openAiError, startHttpFake } from './http-fake.js';

export interface FakeChat {
  /** The name asked for: the base's name or an adapter's. */
  model: string;
  /** The version in an adapter's name `<model>-v<version>`; undefined for the base. */
  version: number | undefined;
  messages: { role: string; content: string }[];
  /** The last user message. */
  question: string;
  body: Record<string, unknown>;
}

/** An answer's text, or an error to answer with. */
export type FakeChatAnswer = string | { status: number; message: string };

export interface FakeVllm {
  /** Without `/v1`. */
  url: string;
  /** Replace it at any time. */
  answer: (chat: FakeChat) => FakeChatAnswer | Promise<FakeChatAnswer>;
  /** Loaded adapters: name → path. */
  adapters: Map<string, string>;
  /** Successful loads and unloads in order: `load support-v2`, `unload support-v2`. */
  actions: string[];
  /** Number of chat completions asked of each model name. */
  asked: Map<string, number>;
  requests: string[];
  /** The next loads are refused with this message (400). */
  refuseLoads: string | undefined;
  /** A load takes this long; meanwhile the name is taken and not yet listed. */
  loadMs: number;
  /** Loads succeed but the adapter does not appear in /v1/models. */
  forgetLoads: boolean;
  /** Forgets every adapter, as a restarted process does. */
  restart(): void;
  drop(times: number, when: 'before' | 'after', matching?: RegExp): void;
  close(): Promise<void>;
}

/** vLLM's OpenAI surface with dynamic LoRA: models, chat completions, load_lora_adapter, unload_lora_adapter. */
export async function startFakeVllm(options: { base?: string; answer?: FakeVllm['answer'] } = {}): Promise<FakeVllm> {
  const base = options.base ?? 'base';
  const adapters = new Map<string, string>();
  const asked = new Map<string, number>();
  const loading = new Set<string>();
  const actions: string[] = [];

  const http = await startHttpFake((request): FakeAnswer | Promise<FakeAnswer> => {
    switch (`${request.method} ${request.path}`) {
      case 'GET /health':
        return { body: '' };
      case 'GET /v1/models':
        return { body: listModels() };
      case 'POST /v1/load_lora_adapter':
        return load(json(request));
      case 'POST /v1/unload_lora_adapter':
        return unload(json(request));
      case 'POST /v1/chat/completions':
        return complete(JSON.parse(request.body.toString()));
      default:
        return openAiError(404, 'Not Found', 'NotFoundError');
    }
  });

  const json = (request: FakeRequest) =>
    JSON.parse(request.body.toString()) as { lora_name?: string; lora_path?: string };
  const card = (id: string, root: string, parent: string | null) => ({
    id,
    object: 'model',
    created: 1,
    owned_by: 'vllm',
    root,
    parent,
    permission: [],
  });
  const listModels = () => ({
    object: 'list',
    data: [
      card(base, base, null),
      ...(fake.forgetLoads ? [] : [...adapters].map(([name, path]) => card(name, path, base))),
    ],
  });

  async function load({
    lora_name: name,
    lora_path: path,
  }: {
    lora_name?: string;
    lora_path?: string;
  }): Promise<FakeAnswer> {
    if (!name || !path)
      return openAiError(400, "Both 'lora_name' and 'lora_path' must be provided.", 'InvalidUserInput');
    if (fake.refuseLoads !== undefined) return openAiError(400, fake.refuseLoads, 'BadRequestError');
    if (adapters.has(name) || loading.has(name)) {
      return openAiError(
        400,
        `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`,
        'InvalidUserInput',
      );
    }
    if (!existsSync(join(path, 'adapter_config.json')))
      return openAiError(404, `Loading lora ${name} failed: No adapter found for ${path}`, 'NotFoundError');
    loading.add(name);
    await new Promise((resolve) => setTimeout(resolve, fake.loadMs));
    loading.delete(name);
    adapters.set(name, path);
    actions.push(`load ${name}`);
    return { body: `Success: LoRA adapter '${name}' added successfully.` };
  }

  function unload({ lora_name: name = '' }: { lora_name?: string; lora_path?: string }): FakeAnswer {
    if (!adapters.delete(name)) return openAiError(404, `The lora adapter '${name}' cannot be found.`, 'NotFoundError');
    actions.push(`unload ${name}`);
    return { body: `Success: LoRA adapter '${name}' removed successfully.` };
  }

  async function complete(body: Record<string, unknown>): Promise<FakeAnswer> {
    const model = String(body.model);
    asked.set(model, (asked.get(model) ?? 0) + 1);
    if (model !== base && !adapters.has(model))
      return openAiError(404, `The model \`${model}\` does not exist.`, 'NotFoundError');
    const messages = body.messages as FakeChat['messages'];
    const version = /-v(\d+)$/.exec(model)?.[1];
    const answer = await fake.answer({
      model,
      version: model === base || version === undefined ? undefined : Number(version),
      messages,
      question: messages.findLast(({ role }) => role === 'user')?.content ?? '',
      body,
    });
    if (typeof answer !== 'string') return openAiError(answer.status, answer.message, 'server_error');
    return {
      body: {
        id: `chatcmpl-${Math.random().toString(36).slice(2)}`,
        object: 'chat.completion',
        created: Math.floor(Date.now() / 1_000),
        model,
        choices: [{ index: 0, message: { role: 'assistant', content: answer }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
      },
    };
  }

  const fake: FakeVllm = {
    url: http.url,
    answer: options.answer ?? (() => 'yes'),
    adapters,
    actions,
    asked,
    requests: http.requests,
    refuseLoads: undefined,
    loadMs: 0,
    forgetLoads: false,
    restart: () => adapters.clear(),
    drop: http.drop,
    close: http.close,
  };
  return fake;
}
