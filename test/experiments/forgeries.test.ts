import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import {
  endBake,
  endExperiment,
  promote,
  rollBack,
  startExperiment,
  takeLook,
  undoRoute,
  verifyExperiments,
} from '../../src/experiments/index.js';
import { verifyChain } from '../../src/routing/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { at, fillArm, seedCycle, seedModel } from '../support/experiment-data.js';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 2 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

/** An A/B test with a look in which the challenger is better. */
async function tested(model: string, expectedEpoch: number, from: number) {
  const cycleId = await seedCycle(db, model, at(from - 10));
  const facts = await startExperiment(db, { cycleId, candidate: 2, expectedEpoch, asOf: at(from) });
  if (facts.routeChanged) throw new Error('the route was changed');
  const { experimentId } = facts;
  for (const [i, arm] of (['champion', 'challenger'] as const).entries()) {
    const people = { model, experimentId, arm, version: i + 1, subjects: 60, from: at(from + 1) };
    await fillArm(db, { ...people, positives: [150, 290][i]! });
  }
  await takeLook(db, { experimentId, k: 1, asOf: at(from + 60), isLast: false });
  return { model, cycleId, experimentId, asOf: at(from + 61) };
}

const ended = { actor: 'cycle', reason: 'it was so' };

/** Every way in which the route leaves an experiment. */
const WAYS: Record<string, () => Promise<string>> = {
  async 'promoted and kept'() {
    const { model, experimentId, asOf } = await tested(await seedModel(db), 1, 0);
    const moved = await promote(db, { experimentId, expectedEpoch: 2, ...ended, forced: false, asOf });
    await endBake(db, { experimentId: (moved as { bakeExperimentId: string }).bakeExperimentId, asOf: at(200) });
    return model;
  },
  async 'ended without a promotion'() {
    const { model, experimentId, asOf } = await tested(await seedModel(db), 1, 0);
    await endExperiment(db, { experimentId, decision: 'inconclusive', ...ended, asOf });
    return model;
  },
  async 'rolled back in its bake'() {
    const { model, cycleId, experimentId, asOf } = await tested(await seedModel(db), 1, 0);
    await promote(db, { experimentId, expectedEpoch: 2, ...ended, forced: false, asOf });
    await undoRoute(db, { cycleId, ...ended, asOf: at(90) });
    return model;
  },
  async 'rolled back by an operator'() {
    const { model, asOf } = await tested(await seedModel(db), 1, 0);
    const loadVersion = async () => {};
    await rollBack({ db, loadVersion }, { model, toVersion: 1, requestId: 'r', ...ended, asOf });
    return model;
  },
};

interface Leaf {
  table: string;
  /** Finds the row. */
  where: string;
  column: string;
  /** Inside a JSON column. */
  path: string[];
  value: unknown;
  type: string;
}

/** Of the route: what gateways do with it and when it moved; the version it gives is in the chain. Of a row: its address. */
const NOT_DECIDED: Record<string, string[]> = {
  experiments: ['id', 'model'],
  looks: ['experiment_id'],
  route_changes: ['id', 'model'],
  routes: ['model', 'valid_for_ms', 'updated_at', 'promoted_at'],
};
const MINE: Record<string, string> = {
  looks: 'experiment_id IN (SELECT id FROM experiments WHERE model = $1)',
  route_changes: 'model = $1 AND epoch = 3',
};
const KEYS: Record<string, string[]> = {
  experiments: ['id'],
  looks: ['experiment_id', 'k'],
  route_changes: ['id'],
  routes: ['model'],
};

/**
 * Every single value that is stored about the decisions of a model: the columns are read from the database itself. `all`: with
 * the looks, and with the promotion out of the chain, whose rows are hashed alike.
 */
async function leavesOf(model: string, all: boolean): Promise<Leaf[]> {
  const leaves: Leaf[] = [];
  for (const [table, keys] of Object.entries(KEYS)) {
    if (!all && table !== 'experiments' && table !== 'routes') continue;
    const { rows: columns } = await db.pool.query<{ column_name: string; data_type: string }>(
      'SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position',
      [table],
    );
    const mine = MINE[table] ?? 'model = $1';
    const { rows } = await db.pool.query<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb(t) AS row FROM ${table} t WHERE ${mine}`,
      [model],
    );
    for (const { row } of rows) {
      const where = keys.map((key) => `${key} = '${String(row[key])}'`).join(' AND ');
      for (const { column_name: column, data_type: type } of columns) {
        if (NOT_DECIDED[table]!.includes(column)) continue;
        const paths = type === 'jsonb' ? leafPaths(row[column]) : [[]];
        for (const path of paths) {
          const value = path.reduce((holder, name) => (holder as Record<string, unknown>)[name], row[column]);
          leaves.push({ table, where, column, path, value, type });
        }
      }
    }
  }
  return leaves;
}

function leafPaths(value: unknown, path: string[] = []): string[][] {
  if (value === null || typeof value !== 'object') return [path];
  return Object.entries(value).flatMap(([name, inner]) => leafPaths(inner, [...path, name]));
}

/** Words of columns that take no others. */
const WORDS: Record<string, string[]> = {
  'experiments.kind': ['ab', 'bake'],
  'route_changes.action': ['promote', 'rollback'],
  'looks.decision': ['promote', 'wait'],
};

/** Another value that the column takes. */
function forged({ table, column, type, path, value }: Leaf): unknown {
  const word = WORDS[`${table}.${column}`]?.find((one) => one !== value);
  if (word !== undefined) return word;
  if (path.length > 0 || type === 'jsonb' || typeof value === 'boolean') {
    if (typeof value === 'number') return value + 1;
    if (typeof value === 'boolean') return !value;
    return typeof value === 'string' ? `${value}x` : 1;
  }
  if (type.startsWith('timestamp'))
    return new Date((value === null ? at(0).getTime() : Date.parse(String(value))) + 1_000);
  if (type === 'uuid') return '00000000-0000-4000-8000-000000000001';
  if (type === 'text') return value === null ? 'x' : `${String(value)}x`;
  return value === null ? 1 : Number(value) + (type === 'integer' ? 1 : 0.001);
}

/** Writes it as somebody who may do anything to the database, asks, and takes it back. */
async function isFound(model: string, leaf: Leaf): Promise<boolean> {
  const { table, where, column, path, type } = leaf;
  const { rows } = await db.pool.query<{ stored: string | null }>(
    `SELECT ${column}::text AS stored FROM ${table} WHERE ${where}`,
  );
  const value = forged(leaf);
  const inside = type === 'jsonb' && path.length > 0;
  const written = await write(
    `UPDATE ${table} SET ${column} = ${inside ? `jsonb_set(${column}, $2, $1)` : '$1'} WHERE ${where}`,
    inside ? [JSON.stringify(value), path] : [value],
  );
  if (!written) return true;
  const chain = await verifyChain(db, model);
  const experiments = await verifyExperiments(db, model);
  const moved = where.replace(`${column} = '${String(leaf.value)}'`, `${column} = '${String(value)}'`);
  await write(`UPDATE ${table} SET ${column} = $1::${type} WHERE ${moved}`, [rows[0]!.stored]);
  return chain.broken.length + experiments.flatMap(({ misfits }) => misfits).length > 0;
}

/** With no trigger in the way. Answers whether the database took it: its constraints refuse some of it by themselves. */
async function write(statement: string, values: unknown[]): Promise<boolean> {
  const client = await db.pool.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await client.query(statement, values);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('23')) return false;
    throw error;
  } finally {
    await client.query('RESET session_replication_role');
    client.release();
  }
}

/** Every leaf of a look is forged where no database is needed (src/experiments/verify-look.test.ts); here its columns. */
const whole = ({ table, path }: Leaf) => table !== 'looks' || path.length <= 1;

describe.each(Object.keys(WAYS))('a test that was %s', (way) => {
  it('is accepted as it is, and no value of it can be another one', async () => {
    const model = await WAYS[way]!();
    expect(await verifyExperiments(db, model)).toSatisfy((all: { misfits: unknown[] }[]) =>
      all.every(({ misfits }) => misfits.length === 0),
    );
    expect((await verifyChain(db, model)).broken).toEqual([]);
    const leaves = (await leavesOf(model, way === 'promoted and kept')).filter(whole);
    const accepted: string[] = [];
    for (const leaf of leaves) {
      const { table, column, path } = leaf;
      if (!(await isFound(model, leaf))) accepted.push([`${table}.${column}`, ...path].join('.'));
    }
    expect(accepted).toEqual([]);
    expect(leaves.length).toBeGreaterThan(30);
    expect((await verifyChain(db, model)).broken).toEqual([]);
  });
});
