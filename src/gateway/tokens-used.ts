/** What a token is taken for where nobody counted: about so many characters of English. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * Prompt and completion tokens of an answer, as the upstream reported them. Where it reported none (a stream whose client
 * did not ask for usage, or left), an estimate from the length of what was asked and answered: a budget must not depend on
 * what the client asks for. An error costs nothing.
 */
export function tokensUsed(request: string, response: Record<string, unknown>): number {
  const { total_tokens, prompt_tokens, completion_tokens } = (response.usage ?? {}) as Record<string, unknown>;
  const reported = count(total_tokens) ?? sum(count(prompt_tokens), count(completion_tokens));
  if (reported !== undefined) return reported;
  if (response.error !== undefined) return 0;
  // Numbers of an embedding are no text.
  const answered = response.choices === undefined ? 0 : JSON.stringify(response.choices).length;
  return Math.ceil((request.length + answered) / CHARACTERS_PER_TOKEN);
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined && other === undefined ? undefined : (one ?? 0) + (other ?? 0);
}
