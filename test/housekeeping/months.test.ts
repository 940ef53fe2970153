import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { dropMonth, ensureMonths, listMonths, parseMonth, startHousekeeping } from '../../src/housekeeping/index.js';
import { newId, storeCaptured } from '../../src/interactions/index.js';
import { digestOf, parsePolicy } from '../../src/policy/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { seedModel } from '../support/experiment-data.js';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 6 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});
afterEach(async () => {
  await db.pool.query('DELETE FROM experiments; DELETE FROM dataset_rows; DELETE FROM datasets; DELETE FROM cycles');
});

const partition = async (name: string) =>
  (await db.pool.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [name])).rows[0]!.found;
const countOf = async (name: string) =>
  Number((await db.pool.query<{ n: string }>(`SELECT count(*) AS n FROM ${name}`)).rows[0]!.n);

/** Stores so many interactions asked in a month; answers their ids. */
async function ask(model: string, month: string, count: number): Promise<string[]> {
  const { from } = parseMonth(month);
  const items = Array.from({ length: count }, (_, i) => {
    const askedAt = new Date(from.getTime() + 86_400_000 + i);
    return {
      ...{ id: newId(askedAt), model, askedAt, subject: null, session: null, experimentId: null, arm: null },
      ...{ assignedVersion: null, version: 1, status: 'complete' as const, latencyMs: 1, tags: {} },
      request: { messages: [] },
      response: { choices: [] },
    };
  });
  await storeCaptured(db, items);
  return items.map(({ id }) => id);
}

async function openCycle(model: string, startedAt: Date): Promise<string> {
  const { policy: document } = await db.prisma.model.findUniqueOrThrow({ where: { name: model } });
  const id = randomUUID();
  await db.prisma.cycle.create({
    data: {
      ...{ id, model, workflowId: 'w', runId: randomUUID(), originalRunId: randomUUID(), trigger: 'manual' },
      ...{ phase: 'collecting', policy: document as object, sandbox: true, startedAt },
      policyDigest: digestOf(parsePolicy(document)),
    },
  });
  return id;
}

describe('ensureMonths', () => {
  it('makes this month and the next two as time goes by, and nothing when they are there', async () => {
    const now = new Date('2031-11-20T12:00:00Z');
    const { made, done } = await ensureMonths(db, now);
    expect(done).toBe(true);
    expect(made.sort()).toEqual([
      ...['feedback 2031-11', 'feedback 2031-12', 'feedback 2032-01'],
      ...['interactions 2031-11', 'interactions 2031-12', 'interactions 2032-01'],
      ...['shadow_answers 2031-11', 'shadow_answers 2031-12', 'shadow_answers 2032-01'],
    ]);
    expect(await ensureMonths(db, now)).toEqual({ done: true, made: [], tooLarge: [] });
    expect(await partition('feedback_2032_01')).toBe(true);
  });

  it('is done by one at a time and breaks nobody when many begin at once', async () => {
    const now = new Date('2033-03-31T23:59:59Z');
    const results = await Promise.all(Array.from({ length: 5 }, () => ensureMonths(db, now)));
    expect(results.flatMap(({ made }) => made)).toHaveLength(9);
    expect(await partition('interactions_2033_05')).toBe(true);
  });

  it('gives rows that came without a partition their month, while others are written, and leaves strays', async () => {
    const model = await seedModel(db);
    await ask(model, '2024-02', 1_000);
    await ask(model, '2024-03', 3);
    const now = new Date('2026-11-21T00:00:00Z');
    let writing = true;
    const writer = (async () => {
      let written = 0;
      while (writing) written += (await ask(model, '2024-02', 20)).length;
      return written;
    })();
    const { made } = await ensureMonths(db, now);
    writing = false;
    const written = await writer;
    expect(made).toEqual(['interactions 2024-02']);
    expect(await countOf('interactions_2024_02')).toBe(1_000 + written);
    expect(await countOf('interactions_default')).toBe(3);
  });
});

describe('dropMonth', () => {
  const drop = (month: string, force = false) =>
    dropMonth(db, { table: 'interactions', month: parseMonth(month), force, now: new Date('2026-11-21T00:00:00Z') });

  it('drops an old month at once, with an estimate of its rows, and leaves datasets as they are', async () => {
    const model = await seedModel(db);
    await db.pool.query("SELECT ensure_month_partition('interactions', '2025-05-01')");
    const ids = await ask(model, '2025-05', 120);
    await ask(model, '2025-06', 7);
    const cycleId = await openCycle(model, new Date('2025-06-01T00:00:00Z'));
    await db.prisma.cycle.update({ where: { id: cycleId }, data: { endedAt: new Date(), outcome: 'rejected' } });
    const datasetId = randomUUID();
    await db.pool.query(
      `INSERT INTO datasets (id, model, cycle_id, state, created_at, digest, uri, manifest) VALUES ($1, $2, $3, 'frozen', now(), $4, 'artifact:x', '{}')`,
      [datasetId, model, cycleId, 'a'.repeat(64)],
    );
    await db.pool.query(
      `INSERT INTO dataset_rows (dataset_id, interaction_id, kept, step, split) VALUES ($1, $2, true, 'kept', 'train')`,
      [datasetId, ids[0]],
    );
    await db.pool.query('ANALYZE interactions');
    expect(await drop('2025-05')).toMatchObject({ table: 'interactions', month: '2025-05', rows: 120, forced: [] });
    expect(await partition('interactions_2025_05')).toBe(false);
    expect(await countOf(`interactions WHERE id = '${ids[0]}'`)).toBe(0);
    expect(await countOf(`dataset_rows WHERE interaction_id = '${ids[0]}'`)).toBe(1);
    // Those of June wait in the default partition, and go with their month all the same.
    expect(await countOf(`interactions WHERE asked_at BETWEEN '2025-06-01' AND '2025-07-01'`)).toBe(7);
    await drop('2025-06');
    expect(await countOf(`interactions WHERE asked_at BETWEEN '2025-06-01' AND '2025-07-01'`)).toBe(0);
  });

  it('refuses months that the next cycle would look back to, unless it is forced', async () => {
    const model = await seedModel(db);
    await expect(drop('2026-10')).rejects.toMatchObject({
      code: 'month_needed',
      message: expect.stringContaining('look back 720h'),
    });
    await ask(model, '2026-10', 2);
    expect((await drop('2026-10', true)).forced.join()).toContain(model);
    expect(await countOf(`interactions WHERE model = '${model}'`)).toBe(0);
  });

  it('refuses months that a running cycle has not frozen yet or a live experiment reads', async () => {
    const model = await seedModel(db);
    const cycleId = await openCycle(model, new Date('2026-02-10T00:00:00Z'));
    await expect(drop('2026-01')).rejects.toThrow(/running cycle/);
    await expect(drop('2025-12')).resolves.toBeDefined();
    await db.pool.query(
      `INSERT INTO datasets (id, model, cycle_id, state, created_at, digest, uri, manifest) VALUES ($1, $2, $3, 'frozen', now(), $4, 'artifact:x', '{}')`,
      [randomUUID(), model, cycleId, 'a'.repeat(64)],
    );
    await expect(drop('2026-01')).resolves.toBeDefined();
    await db.prisma.experiment.create({
      data: {
        ...{ id: randomUUID(), model, cycleId, kind: 'ab', champion: 1, challenger: 2, share: 0.1, settings: {} },
        ...{ policyDigest: 'd'.repeat(64), sandbox: true, p0: 0.5, d0: 1, i0: 1 },
        startedAt: new Date('2026-03-15T00:00:00Z'),
        minEndsAt: new Date('2026-03-17T00:00:00Z'),
        maxEndsAt: new Date('2026-03-20T00:00:00Z'),
      },
    });
    await expect(drop('2026-03')).rejects.toThrow(/experiment/);
    await expect(drop('2026-02')).resolves.toBeDefined();
  });

  it('gives up rather than let queries wait behind it, and drops nothing then', async () => {
    const model = await seedModel(db);
    await db.pool.query("SELECT ensure_month_partition('interactions', '2025-01-01')");
    await ask(model, '2025-01', 1);
    const reader = await db.pool.connect();
    try {
      await reader.query('BEGIN');
      await reader.query('SELECT count(*) FROM interactions');
      await expect(drop('2025-01')).rejects.toMatchObject({ code: 'conflict' });
    } finally {
      await reader.query('ROLLBACK');
      reader.release();
    }
    expect(await partition('interactions_2025_01')).toBe(true);
    await drop('2025-01');
    expect(await partition('interactions_2025_01')).toBe(false);
  });

  it.each(['2026-13', '2026-8', 'august', '2026-08-01', '1969-12'])('does not take %s for a month', (name) => {
    expect(() => parseMonth(name)).toThrow(/2026-08/);
  });
});

describe('listMonths', () => {
  it('shows every partition with its size, and what waits without one', async () => {
    const months = await listMonths(db);
    expect(months.filter(({ month }) => month === null).map(({ table }) => table)).toEqual([
      'shadow_answers',
      'interactions',
      'feedback',
    ]);
    const stored = months.filter(({ table, month }) => table === 'interactions' && month !== null);
    expect(stored.map(({ month }) => month)).toEqual(stored.map(({ month }) => month).toSorted());
    expect(stored.find(({ month }) => month === '2024-02')!.rows).toBeGreaterThanOrEqual(1_000);
    expect(stored.every(({ bytes }) => bytes > 0)).toBe(true);
  });
});

describe('startHousekeeping', () => {
  it('goes on after a failure', async () => {
    const said: string[] = [];
    const logger = {
      info: (_: unknown, text: string) => void said.push(text),
      warn: (_: unknown, text: string) => void said.push(text),
    };
    let away = true;
    const pool = {
      connect: async () => {
        if (away) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
        return db.pool.connect();
      },
    };
    const { rows } = await db.pool.query<{ name: string }>(
      "SELECT 'feedback_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS name",
    );
    await db.pool.query(`DROP TABLE ${rows[0]!.name}`);
    const housekeeping = startHousekeeping({ pool } as never, logger as never, { afterFailureMs: 10 });
    await expect.poll(() => said, { timeout: 20_000 }).toContain('months not made; again later');
    away = false;
    await expect.poll(() => said, { timeout: 20_000 }).toContain('months made');
    await housekeeping.stop();
    expect(await partition(rows[0]!.name)).toBe(true);
  });

  it('looks after adapters, too, and says what failed of that', async () => {
    const said: [object, string][] = [];
    const say = (facts: object, text: string) => void said.push([facts, text]);
    let pass = 0;
    const prune = async () => {
      pass += 1;
      if (pass === 1) throw new Error('away');
      const dropped = [{ model: 'desk', version: 3 }];
      return { dry_run: false, dropped, kept: [], swept: [], failed: [] } as never;
    };
    const housekeeping = startHousekeeping(db, { info: say, warn: say } as never, { everyMs: 10, prune });
    await expect
      .poll(() => said, { timeout: 20_000 })
      .toContainEqual([{ dropped: ['desk@3'], swept: [] }, 'adapters dropped']);
    await housekeeping.stop();
    expect(said.map(([, text]) => text)).toContain('adapters not looked at; again tomorrow');
  });
});
