export { type DroppedMonth, dropMonth } from './drop-month.js';
export { type EnsuredMonths, ensureMonths } from './ensure-months.js';
export { listMonths, type StoredMonth } from './list-months.js';
export { type Month, type MonthlyTable, monthOf, parseMonth, parseTable } from './month.js';
export { type Housekeeping, startHousekeeping } from './start-housekeeping.js';
