import { createHmac } from 'node:crypto';

/**
 * The headers of a signed event, as Standard Webhooks names them. The signature is HMAC-SHA-256 over
 * `<id>.<timestamp>.<body>` in base64; the id is the same at every attempt, the timestamp (seconds) is the attempt's.
 *
 * @param secret as text, or `whsec_` and base64
 */
export function signWebhook(
  { id, body, at }: { id: string; body: string; at: Date },
  secret: string,
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
