import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { pauseAfter } from './deliver.js';
import { signWebhook } from './sign-webhook.js';
import { slackText } from './slack-text.js';

const at = new Date('2026-11-20T12:00:00.700Z');

it('signs id, timestamp and body, under a text or a whsec_ secret', () => {
  const message = { id: 'e-1', body: '{"a":1}', at };
  const expected = (key: Buffer) => `v1,${createHmac('sha256', key).update('e-1.1795176000.{"a":1}').digest('base64')}`;
  expect(signWebhook(message, 'a secret')).toEqual({
    'webhook-id': 'e-1',
    'webhook-timestamp': '1795176000',
    'webhook-signature': expected(Buffer.from('a secret')),
  });
  const raw = Buffer.from('0123456789abcdef');
  expect(signWebhook(message, `whsec_${raw.toString('base64')}`)['webhook-signature']).toBe(expected(raw));
});

it('agrees with the example of the Standard Webhooks libraries', () => {
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', at: new Date(1_614_265_330_000) };
  expect(signWebhook(message, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')['webhook-signature']).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

it('waits longer after every failure, an hour at most', () => {
  expect([1, 2, 3, 10, 11, 16].map(pauseAfter)).toEqual([5_000, 10_000, 20_000, 2_560_000, 3_600_000, 3_600_000]);
});

it('escapes what Slack would take for markup', () => {
  const champion = { version: 2, label: '1.1.0' } as never;
  const change = { action: 'promote', actor: '<!channel>', reason: 'a & b', forced: true, champion_before: 1 } as never;
  const route = { epoch: 3, champion } as never;
  const text = slackText({ type: 'promoted', model: 'desk', sandbox: false, route, change } as never);
  expect(text).toBe(
    'desk: version 2 (1.1.0) was promoted, before it version 1 by &lt;!channel&gt; (forced): a &amp; b; epoch 3',
  );
});
