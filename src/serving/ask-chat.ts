import { z } from 'zod';
import { errorDetail, UnderstudyError } from '../errors.js';

/** Where one version answers: an address of `chat/completions` and the name it goes by there. */
export interface ChatEndpoint {
  /** Base with `/v1`. */
  baseUrl: string;
  model: string;
  apiKey: string | undefined;
}

export interface ChatQuestion {
  messages: readonly { role: string; content: string }[];
  maxTokens: number;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

const answerSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
});

/**
 * Asks once, at temperature 0, and answers the text, '' when the model said nothing; null when the model cannot answer
 * this question (too long for it, say). Throws `serving_unreachable` for what a retry may cure, else `serving_refused`.
 */
export async function askChat(endpoint: ChatEndpoint, question: ChatQuestion): Promise<string | null> {
  const { baseUrl: url, model, apiKey } = endpoint;
  const timeout = AbortSignal.timeout(question.timeoutMs);
  let status: number;
  let text: string;
  try {
    const answer = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify({ model, messages: question.messages, temperature: 0, max_tokens: question.maxTokens }),
      redirect: 'manual',
      signal: question.signal === undefined ? timeout : AbortSignal.any([question.signal, timeout]),
    });
    status = answer.status;
    text = await answer.text();
  } catch (error) {
    if (question.signal?.aborted) throw question.signal.reason;
    const detail = timeout.aborted ? `no answer within ${question.timeoutMs / 1_000} s` : errorDetail(error);
    throw new UnderstudyError('serving_unreachable', { url, detail });
  }
  if (status >= 500 || status === 429 || status === 408)
    throw new UnderstudyError('serving_unreachable', { url, detail: `HTTP ${status}` });
  if (status === 400 || status === 413 || status === 422) return null;
  if (status !== 200)
    throw new UnderstudyError('serving_refused', { url, detail: `HTTP ${status} when ${model} was asked` });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success)
    throw new UnderstudyError('serving_refused', {
      url,
      detail: `${model} does not answer as the chat completions API does`,
    });
  return parsed.data.choices[0]!.message.content ?? '';
}
