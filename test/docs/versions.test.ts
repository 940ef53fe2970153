import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '#setup/toolchain.mjs';
import { parsePolicy } from '../../src/policy/index.js';
import { seedAdapterVersion, seedRoute } from '../support/seed-version.js';
import { openStage, policyDocument, type Stage, seedModel } from '../support/stage-fixtures.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');
const page = readFileSync(path.join(ROOT, 'docs', 'versions.md'), 'utf8');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'));
const unused = new Set(commands);

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await seedModel(stage.db, 'support-desk');
  await seedAdapterVersion(stage.db, stage.root, 'support-desk', 2);
  await seedRoute(stage.db, 'support-desk', { champion: 2, previous: 1 });
});
afterAll(() => stage.close());

function understudy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: stage.db.url, UNDERSTUDY_ARTIFACTS: stage.root };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: os.tmpdir(), env, timeout: 50_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : ((error.code as unknown as number) ?? -1), stdout, stderr }),
    );
  });
}

/** Runs the one command of the page that contains these words. */
async function documented(words: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const found = commands.filter(
    (line) => line.includes(words) && (words !== 'version prune support-desk' || line.endsWith(words)),
  );
  expect(found, `commands with ${words}`).toHaveLength(1);
  unused.delete(found[0]!);
  const [program, ...args] = [...found[0]!.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
  expect(program).toBe('understudy');
  return understudy(...args);
}

describe('docs/versions.md', () => {
  it('lists, shows and compares versions, for people and for programs', async () => {
    const list = await documented('version list');
    const shown = await documented('version show');
    const compared = await documented('version compare');
    const record = await understudy('version', 'show', 'support-desk@2', '--json');
    expect(list.stdout).toMatch(/^2 +1\.0\.2 +champion +candidate +adapter +tiny\/base/m);
    expect(shown.stdout).toMatch(
      /^support-desk@2 \(sandbox\)\nlabel +1\.0\.2[\s\S]*All traffic\n {2}epoch 2, \S+: promote from 1 to 2 by test: test\n$/,
    );
    expect(compared).toMatchObject({ code: 0, stderr: '' });
    expect(compared.stdout).toContain('never met in an experiment');
    expect(JSON.parse(record.stdout)).toMatchObject({ version: 2, role: 'champion', evaluations: [] });
  });

  it('refuses what is no version', async () => {
    for (const [args, code] of [
      [['show', 'support-desk'], 'invalid_option'],
      [['show', 'support-desk@9'], 'unknown_version'],
      [['compare', 'support-desk', '1', '2', '--days', '9999'], 'invalid_option'],
    ] as const) {
      const { code: exit, stderr } = await understudy('version', ...args);
      expect({ args, exit, stderr }).toMatchObject({ exit: 1, stderr: expect.stringMatching(`^${code}: `) });
    }
  });

  it('drops an adapter that nothing needs, after its hold was released, and says so to whoever wants it back', async () => {
    const { db, root } = stage;
    const yaml = parse(/```yaml\n([\s\S]*?)```/.exec(page)![1]!) as Record<string, unknown>;
    expect(parsePolicy(policyDocument('support-desk', yaml))).toMatchObject({
      retention: { adapters: { keep: 5, for: 90 * 86_400_000 } },
    });
    await seedModel(db, 'support-desk', { retention: { adapters: { keep: 0, for: '0s' } } });
    for (const version of [3, 4]) await seedAdapterVersion(db, root, 'support-desk', version, 'archived', new Date());
    await seedRoute(db, 'support-desk', { champion: 3, previous: 1 });
    await seedRoute(db, 'support-desk', { champion: 1, previous: 3 });
    expect((await documented('version hold')).stdout).toMatch(/^support-desk@2 is under hold [0-9a-f-]{36}: /);
    expect((await documented('--dry-run')).stdout).toMatch(/^1 adapter would be dropped, 2 kept\.\nsupport-desk@4 /);
    expect((await documented('version release')).stdout).toContain('under no hold any more');
    const pruned = await documented('version prune support-desk');
    expect(pruned.stdout).toMatch(
      /^2 adapters dropped, 1 kept\.[\s\S]*files deleted[\s\S]*support-desk@3 +1\.0\.3 +previous/,
    );
    const shown = await understudy('version', 'show', 'support-desk@4');
    const back = await understudy('rollback', 'support-desk', '--version', '4', '--reason', 'test');
    expect(shown.stdout).toMatch(/^dropped +\S+ by \S+: neither/m);
    expect(back).toMatchObject({ code: 1, stderr: expect.stringMatching(/^adapter_dropped: /) });
  });

  it('has no command that was not run here', () => {
    expect([...unused]).toEqual([]);
  });
});
