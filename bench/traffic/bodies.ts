/** The model of the benches of the gateway. */
export const MODEL = 'support-router';

const QUESTION = 'My parcel did not arrive and the tracking page has not moved for four days. ';
const ANSWER = 'I am sorry about that. The parcel is on its way and will be with you in two days. ';

/** A chat completion's request of about `bytes` bytes. */
export function requestBody(bytes: number, more: Readonly<Record<string, unknown>> = {}): string {
  const body = (content: string) =>
    JSON.stringify({
      model: MODEL,
      messages: [
        { role: 'system', content: 'You route the messages of a shop to the right desk.' },
        { role: 'user', content },
      ],
      temperature: 0.2,
      ...more,
    });
  return body(filled(QUESTION, bytes - body('').length));
}

/** A chat completion's answer of about `bytes` bytes. */
export function answerBody(bytes: number): string {
  const body = (content: string) =>
    JSON.stringify({
      id: 'chatcmpl-0123456789abcdef',
      object: 'chat.completion',
      created: 1_790_000_000,
      model: 'base',
      choices: [
        { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 61, completion_tokens: 42, total_tokens: 103 },
    });
  return body(filled(ANSWER, bytes - body('').length));
}

/** The same as server-sent events: a chunk that says who speaks, `pieces` with text, and the end. */
export function answerEvents(pieces: number): string[] {
  const chunk = (delta: object, reason: string | null = null) =>
    `data: ${JSON.stringify({
      id: 'chatcmpl-0123456789abcdef',
      object: 'chat.completion.chunk',
      created: 1_790_000_000,
      model: 'base',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
    })}\n\n`;
  return [
    chunk({ role: 'assistant', content: '' }),
    ...Array.from({ length: pieces }, () => chunk({ content: ' on its way' })),
    `${chunk({}, 'stop')}data: [DONE]\n\n`,
  ];
}

function filled(text: string, bytes: number): string {
  return text.repeat(Math.ceil(bytes / text.length)).slice(0, Math.max(0, bytes));
}
