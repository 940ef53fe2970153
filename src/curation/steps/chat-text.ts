import { z } from 'zod';
import { leaveOut, type Message } from '../row.js';
import type { Step } from '../step.js';

const parts = z.array(z.object({ type: z.literal('text'), text: z.string() }));
const content = z.union([z.string(), parts.transform((all) => all.map(({ text }) => text).join(''))]);
const noCalls = { tool_calls: z.array(z.unknown()).max(0).nullish(), function_call: z.null().optional() };

const request = z.object({
  messages: z
    .array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content, ...noCalls }))
    .min(1),
});
/** An empty answer may still have a correction, so a null content is not yet a reason. */
const response = z.object({
  choices: z.tuple([
    z.object({ message: z.object({ content: content.nullish(), refusal: z.null().optional(), ...noCalls }) }),
  ]),
});

/** Reads question and answer out of the stored bodies. Only a chat in text with one choice can be trained on. */
export const chatText: Step = {
  name: 'chat_text',
  prepare: () => (row) => {
    const asked = request.safeParse(row.request);
    const answered = response.safeParse(row.response);
    if (!asked.success || !answered.success) return leaveOut('not_text');
    const messages = asked.data.messages.map(
      ({ role, content: text }): Message => ({ role: role === 'developer' ? 'system' : role, content: text }),
    );
    if (!messages.some(({ role }) => role === 'user')) return leaveOut('not_text');
    return { ...row, messages, answer: answered.data.choices[0].message.content ?? '' };
  },
};
