export { createDb, type Db, type Tx } from './create-db.js';
export { Prisma } from './generated/client.js';
export { inTransaction } from './in-transaction.js';
export { assertMigrated, type MigrationResult, migrate } from './migrate.js';
