import { type Policy, secretUrl } from '../policy/index.js';
import type { EventBody } from './event.js';
import { ask } from './post.js';
import { signWebhook } from './sign-webhook.js';
import { slackText } from './slack-text.js';

export type Secrets = (reference: string | null) => string | undefined;

/** An answer that is no success; the body of it is not looked at. */
export class NotTaken extends Error {}

/** Posts an event to a webhook. Throws unless it was taken with a status from 200 to 299. */
export async function sendWebhook(
  { url, secret, format }: Policy['mirrors']['webhooks'][number],
  event: EventBody,
  { secrets, now, signal }: { secrets: Secrets; now: Date; signal?: AbortSignal },
): Promise<void> {
  const address = url.startsWith('${') ? secretUrl(secrets(url) ?? '') : url;
  const body = JSON.stringify(format === 'slack' ? { text: slackText(event) } : event);
  const key = secrets(secret);
  const headers = key === undefined ? {} : signWebhook({ id: event.id, body, at: now }, key);
  const { status } = await ask(address, { method: 'POST', headers, body, ...(signal && { signal }) });
  if (status < 200 || status > 299) throw new NotTaken(`HTTP ${status}`);
}
