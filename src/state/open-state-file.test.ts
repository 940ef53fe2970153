import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openStateFile, type StateFolder } from './open-state-file.js';
import { stateOwner } from './state-owner.js';

let state: StateFolder;
let why: string[];
beforeEach(() => {
  const folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'understudy-state-')), 'state');
  state = { folder, owner: stateOwner('postgres://u:p@db/understudy'), key: 'a key of the deployment' };
  why = [];
});
afterEach(() => fs.rmSync(path.dirname(state.folder), { recursive: true, force: true }));

const format = { version: 1, schema: z.strictObject({ names: z.array(z.string()) }) };
const open = (change: Partial<StateFolder> = {}, version = 1) =>
  openStateFile({ ...state, ...change }, 'names', { ...format, version }, (reason) => why.push(reason));
const file = () => path.join(state.folder, 'names');

describe('a state file', () => {
  it('gives back what was written, also to another process, and undefined when there is nothing', async () => {
    expect(await open().read()).toBeUndefined();
    await open().write({ names: ['a'] });
    expect(await open().read()).toEqual({ names: ['a'] });
    expect(why).toEqual([]);
  });

  it('is readable by its owner only, in a folder that is too, and leaves nothing else there', async () => {
    await open().write({ names: [] });
    expect(fs.statSync(file()).mode & 0o777).toBe(0o600);
    expect(fs.statSync(state.folder).mode & 0o777).toBe(0o700);
    expect(fs.readdirSync(state.folder)).toEqual(['names']);
  });

  it('is not written again with what it holds already', async () => {
    await open().write({ names: ['a'] });
    const before = fs.statSync(file());
    const again = open();
    await again.read();
    await again.write({ names: ['a'] });
    expect(fs.statSync(file()).ino).toBe(before.ino);
    await again.write({ names: ['b'] });
    expect(await open().read()).toEqual({ names: ['b'] });
  });

  it('holds the newest of many writes at once, and every one of them resolves', async () => {
    const one = open();
    await Promise.all(Array.from({ length: 50 }, (_, n) => one.write({ names: [String(n)] })));
    expect(await open().read()).toEqual({ names: ['49'] });
  });

  it('is always one of the things written while it is replaced', async () => {
    const [one, other] = [open(), open()];
    const reader = open();
    await one.write({ names: ['one'] });
    let writing = true;
    const writers = Promise.all(
      [one, other].map(async (writer, index) => {
        for (let n = 0; n < 20; n++) await writer.write({ names: [`${index}-${n}`] });
      }),
    ).finally(() => {
      writing = false;
    });
    while (writing) expect(await reader.read()).toBeDefined();
    await writers;
    expect(why).toEqual([]);
  });

  it('is ignored when it was cut or a byte of it was changed', async () => {
    await open().write({ names: ['a', 'b'] });
    const whole = fs.readFileSync(file());
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (place, change) => {
        const at = place % whole.length;
        fs.writeFileSync(file(), whole.subarray(0, at));
        expect(await open().read()).toBeUndefined();
        const changed = Buffer.from(whole);
        changed[at] = changed[at]! ^ change;
        fs.writeFileSync(file(), changed);
        // Hexadecimal digits say the same in capitals.
        const said = await open().read();
        if (said !== undefined) expect(said).toEqual({ names: ['a', 'b'] });
      }),
      { numRuns: 60 },
    );
    expect(why.length).toBeGreaterThan(0);
  });

  it('is ignored, and says why, when it belongs to another deployment, version or name, or is no such file', async () => {
    await open().write({ names: ['a'] });
    expect(await open({ owner: stateOwner('postgres://u:p@db/other') }).read()).toBeUndefined();
    expect(await open({ key: 'another key' }).read()).toBeUndefined();
    expect(await open({}, 2).read()).toBeUndefined();
    fs.copyFileSync(file(), path.join(state.folder, 'copy'));
    expect(await openStateFile(state, 'copy', format, (reason) => why.push(reason)).read()).toBeUndefined();
    fs.writeFileSync(file(), 'hello', { mode: 0o600 });
    expect(await open().read()).toBeUndefined();
    expect(why).toEqual([
      'it belongs to another deployment',
      'it was not written whole, or not by this deployment',
      'it has another version',
      'it was not written whole, or not by this deployment',
      'it is not a state file',
    ]);
  });

  it('is ignored when others may read it, when it is a link, and when it cannot be opened', async () => {
    await open().write({ names: ['a'] });
    fs.chmodSync(file(), 0o644);
    expect(await open().read()).toBeUndefined();
    fs.chmodSync(file(), 0o600);
    fs.renameSync(file(), `${file()}-elsewhere`);
    fs.symlinkSync(`${file()}-elsewhere`, file());
    expect(await open().read()).toBeUndefined();
    fs.rmSync(file());
    fs.mkdirSync(file());
    expect(await open().read()).toBeUndefined();
    expect(why).toHaveLength(3);
    expect(why[0]).toBe('others may read or write it');
  });

  it('throws when it cannot be written, and is then what it was', async () => {
    const one = open();
    await one.write({ names: ['a'] });
    fs.rmSync(state.folder, { recursive: true });
    fs.writeFileSync(state.folder, '');
    await expect(one.write({ names: ['b'] })).rejects.toThrow();
    fs.rmSync(state.folder);
    await one.write({ names: ['c'] });
    expect(await open().read()).toEqual({ names: ['c'] });
  });

  it('takes away what a process that died while writing left', async () => {
    await open().write({ names: ['a'] });
    const left = path.join(state.folder, 'names.1234.tmp');
    fs.writeFileSync(left, 'half');
    fs.utimesSync(left, 0, 0);
    await open().write({ names: ['b'] });
    expect(fs.readdirSync(state.folder)).toEqual(['names']);
  });
});

describe('the owner of state', () => {
  it('is the database, whoever asks and with whatever password', () => {
    const owner = stateOwner('postgres://a:secret@db:5432/understudy');
    expect(owner).toMatch(/^[0-9a-f]{16}$/);
    expect(stateOwner('postgresql://b:other@db/understudy?sslmode=require')).toBe(owner);
    expect(stateOwner('postgres:///understudy?host=db')).toBe(owner);
    for (const other of ['postgres://a@db2/understudy', 'postgres://a@db:5433/understudy', 'postgres://a@db/other'])
      expect(stateOwner(other)).not.toBe(owner);
  });
});
