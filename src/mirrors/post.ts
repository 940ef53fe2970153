const TIMEOUT_MS = 10_000;

/** What came back; the text only where it is JSON of a service that we know. */
export interface Answer {
  status: number;
  json: unknown;
}

/**
 * One request to a mirror. Redirects are not followed: where events go is what the policy says. Throws what fetch throws,
 * whose messages have no address in them.
 */
export async function ask(
  url: string,
  {
    method,
    headers = {},
    body,
    signal,
  }: { method: string; headers?: Record<string, string>; body?: string; signal?: AbortSignal },
): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch(url, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      'user-agent': 'understudy',
      ...headers,
    },
    ...(body !== undefined && { body }),
    redirect: 'manual',
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
  const text = await answer.text();
  return { status: answer.status, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
