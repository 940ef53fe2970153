import { inTurns, redactText } from '../redaction/index.js';
import { questionKey } from './normalise.js';

/**
 * `questionKey` of each golden question as it was asked, and as it is stored by a model that redacts at capture: a
 * version must not learn what it is judged on, whether or not names were taken out of it first.
 */
export async function goldenQuestionKeys(
  rows: readonly { messages: readonly { role: string; content: string }[] }[],
): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for (const { messages } of rows) {
    keys.add(questionKey(messages));
    const redacted = messages.map(async ({ role, content }) => ({ role, content: await inTurns(redactText(content)) }));
    keys.add(questionKey(await Promise.all(redacted)));
  }
  return keys;
}
