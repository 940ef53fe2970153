import { expect, it } from 'vitest';
import { parsePolicy } from './policy.js';

function policy(experiment: object) {
  const upstream = { base_url: 'http://localhost:8901/v1', model: 'base' };
  return { name: 'desk', base_model: 'tiny/base', upstream, experiment };
}

it('takes a policy with twenty looks after the first, and refuses one with more', () => {
  expect(parsePolicy(policy({ look_every: '3.6h' })).experiment.look_every).toBe(12_960_000);
  expect(() => parsePolicy(policy({ look_every: '3.5h' }))).toThrow(/experiment\.look_every: makes more than 20 looks/);
  // What else is in the history of the cycle takes the place of looks.
  expect(() => parsePolicy(policy({ look_every: '3.6h', shadow_first: {} }))).toThrow(/makes more than 18 looks/);
  const manual = { ...policy({ look_every: '3.6h' }), promotion: { approval: 'manual' } };
  expect(() => parsePolicy(manual)).toThrow(/makes more than 19 looks/);
});
