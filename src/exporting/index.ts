export { type ExportRequest, type ExportResult, runExport } from './run-export.js';
