import { expect, it } from 'vitest';
import { parsePolicy } from './policy.js';

const withUrl = (base_url: string) => ({ name: 'desk', base_model: 'tiny', upstream: { base_url, model: 'base' } });

it.each([
  'http://alice:s3cret@host:8901/v1',
  'http://alice@host/v1',
  'https://host/v1?key=s3cret',
  'https://host/v1#s3cret',
])('refuses %s, which would be stored and shown, without repeating the secret', (url) => {
  expect(() => parsePolicy(withUrl(url))).toThrow(/upstream\.base_url: must not have a user/);
  expect(() => parsePolicy(withUrl(url))).not.toThrow(/s3cret/);
});

it('takes a plain address, without the slashes at its end', () => {
  expect(parsePolicy(withUrl('https://host:8901/v1//')).upstream.base_url).toBe('https://host:8901/v1');
});
