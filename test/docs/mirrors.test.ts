import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '#setup/toolchain.mjs';
import { signWebhook } from '../../src/mirrors/sign-webhook.js';
import { parsePolicy } from '../../src/policy/index.js';
import { openStage, policyDocument, type Stage, seedModel } from '../support/stage-fixtures.js';

const CLI = path.join(ROOT, 'dist', 'src', 'cli.js');
const page = readFileSync(path.join(ROOT, 'docs', 'mirrors.md'), 'utf8');
const block = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!;
const commands = block('sh').trim().split('\n');

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await seedModel(stage.db, 'support-desk', parse(block('yaml')));
});
afterAll(() => stage.close());

function understudy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { cwd: os.tmpdir(), env: { ...process.env, DATABASE_URL: stage.db.url }, timeout: 50_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : ((error.code as unknown as number) ?? -1), stdout, stderr }),
    );
  });
}

describe('docs/mirrors.md', () => {
  it('shows a policy that is valid', () => {
    const { mirrors } = parsePolicy(policyDocument('support-desk', parse(block('yaml'))));
    expect(mirrors.webhooks.map(({ name }) => name)).toEqual(['router', 'slack']);
  });

  it('shows code that tells a genuine event from any other', async () => {
    const { isGenuine } = (await import(`data:text/javascript,${encodeURIComponent(block('js'))}`)) as {
      isGenuine: (headers: object, body: string, secret: string, now?: number) => boolean;
    };
    const at = new Date('2026-11-20T12:00:00Z');
    const body = '{"id":"e-1"}';
    for (const secret of ['a secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']) {
      const headers = signWebhook({ id: 'e-1', body, at }, secret);
      const near = at.getTime() + 60_000;
      expect(isGenuine(headers, body, secret, near)).toBe(true);
      expect(isGenuine(headers, `${body} `, secret, near)).toBe(false);
      expect(isGenuine(headers, body, 'another', near)).toBe(false);
      expect(isGenuine({ ...headers, 'webhook-id': 'e-2' }, body, secret, near)).toBe(false);
      expect(isGenuine(headers, body, secret, at.getTime() + 600_000)).toBe(false);
    }
  });

  it('shows commands that work', async () => {
    expect(commands.map((line) => line.split(' ')[0])).toEqual(Array(4).fill('understudy'));
    const wrong = 'understudy mirror replay support-desk --event 7';
    const runs = [];
    for (const line of [...commands, wrong]) runs.push(await understudy(...line.split(' ').slice(1)));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0, 1]);
    const outputs = runs.map(({ stdout }) => stdout);
    expect(outputs[0]).toMatch(/^support-desk +router +0 +0 +0 +–\nsupport-desk +slack [\s\S]*support-desk +mlflow/m);
    expect(JSON.parse(outputs[1]!)).toMatchObject([{ mirror: 'router', configured: true, pending: [] }, {}, {}]);
    expect(outputs[2]).toBe('0 deliveries of support-desk made due again; the server sends them.\n');
    expect(runs[4]).toMatchObject({ code: 1, stderr: expect.stringMatching(/^invalid_option: /) });
  });
});
