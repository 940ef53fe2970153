import { createHash } from 'node:crypto';
import type { Message } from './row.js';

/** Text with compatibility forms, case and white space made equal. */
export function normalise(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}

/** Identifies a question, whatever was answered and whatever instructions stood before it: its user turns, normalised. */
export function questionKey(messages: readonly { role: string; content: string }[]): string {
  const turns = messages.filter(({ role }) => role === 'user').map(({ content }) => normalise(content));
  return shortHash(JSON.stringify(turns));
}

/** Identifies a whole training example: all its turns and the answer, normalised. */
export function exampleKey(messages: readonly Message[], answer: string): string {
  return shortHash(
    JSON.stringify([...messages.map(({ role, content }) => [role, normalise(content)]), normalise(answer)]),
  );
}

/** 128 bits in 22 characters: a million of them stay small in memory, and none collide by chance. */
function shortHash(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
}
