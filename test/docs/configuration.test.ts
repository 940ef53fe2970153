import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parsePolicy } from '../../src/policy/index.js';

const source = readFileSync('docs/configuration.md', 'utf8');
const shown = parse(/```yaml\n([\s\S]*?)```/.exec(source)?.[1] ?? '') as Record<string, unknown>;

describe('docs/configuration.md', () => {
  it('shows a policy that is valid, with every default as it is', () => {
    const { name, base_model, upstream } = shown as {
      name: string;
      base_model: string;
      upstream: { base_url: string; model: string; api_key: string };
    };
    const bare = {
      name,
      base_model,
      upstream: { base_url: upstream.base_url, model: upstream.model, api_key: upstream.api_key },
    };
    expect(parsePolicy(shown)).toEqual(parsePolicy(bare));
  });

  it('shows every field, or names it as not acted on', () => {
    const policy = parsePolicy(shown) as unknown as Record<string, Record<string, unknown>>;
    for (const [section, fields] of Object.entries(policy)) {
      if (fields === null || typeof fields !== 'object') continue;
      for (const field of Object.keys(fields)) {
        const isShown = field in ((shown[section] ?? {}) as object);
        expect(isShown || source.includes(`\`${section}.${field}\``), `${section}.${field}`).toBe(true);
      }
    }
  });

  it('names every variable that the program reads', () => {
    const config = readFileSync('src/config.ts', 'utf8');
    for (const [, name] of config.matchAll(/^ {2}([A-Z_]+): z/gm)) expect(source, name).toContain(`\`${name}\``);
  });
});
