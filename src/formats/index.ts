export { type ColumnRange, scaleOf } from './feedback-scale.js';
export type { Format, FormatOptions, Item, Mapper, Row } from './format.js';
export { FORMATS, type FormatName, recognizeFormat } from './formats.js';
export { USAGE_COLUMNS, usageTable } from './usage-table.js';
