export {
  type ImportListener,
  type ImportProgress,
  type ImportRequest,
  type ImportResult,
  type ImportTarget,
  runImport,
} from './run-import.js';
