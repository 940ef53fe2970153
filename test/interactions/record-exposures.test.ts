import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/db/index.js';
import { recordExposures } from '../../src/interactions/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(database.url, { max: 4 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const EXPERIMENT = '11111111-1111-4111-8111-111111111111';
const SUBJECT = 'ab'.repeat(32);
const at = (second: number, arm: 'champion' | 'challenger' = 'champion') => ({
  experimentId: EXPERIMENT,
  subject: SUBJECT,
  arm,
  version: arm === 'champion' ? 1 : 2,
  exposedAt: new Date(Date.UTC(2026, 10, 20, 12, 0, second)),
});

describe('exposures', () => {
  it('keep the earliest of a subject in an arm, in whatever order gateways report them', async () => {
    await recordExposures(db, [at(30), at(20), at(25)]);
    await recordExposures(db, [at(40)]);
    await recordExposures(db, [at(10), at(50, 'challenger')]);
    await Promise.all([recordExposures(db, [at(5)]), recordExposures(db, [at(7)]), recordExposures(db, [at(60)])]);
    const rows = await db.prisma.exposure.findMany({ orderBy: { arm: 'asc' } });
    expect(rows.map(({ arm, exposedAt }) => [arm, exposedAt.getUTCSeconds()])).toEqual([
      ['challenger', 50],
      ['champion', 5],
    ]);
  });
});
