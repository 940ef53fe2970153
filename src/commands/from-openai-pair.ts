import { createHash } from 'node:crypto';
import { z } from 'zod';

const pair = z.looseObject({
  request: z.looseObject({}),
  response: z.looseObject({ id: z.string().min(1).nullish(), created: z.int().min(0).max(253_402_300_799) }),
});

/**
 * The interaction record of one logged chat completion, `{"request": …, "response": …}`, under the given model. It was asked
 * at `response.created` (seconds since 1970); its external id is `response.id`, else the SHA-256 of the line in hex, so
 * that the line finds itself again. Undefined when it is no such pair; the bodies are checked where records are stored.
 */
export function fromOpenaiPair(line: string, value: unknown, model: string): unknown {
  const parsed = pair.safeParse(value);
  if (!parsed.success) return undefined;
  const { request, response } = parsed.data;
  return {
    external_id: response.id ?? createHash('sha256').update(line.trim()).digest('hex'),
    timestamp: new Date(response.created * 1_000).toISOString(),
    model,
    request,
    response,
  };
}
