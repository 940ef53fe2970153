// For clients. The worker's part (run-worker.ts, connect-worker.ts) brings a native library and is imported by the worker alone.
export {
  connectTemporal,
  connectTemporalLazily,
  readTemporalConfig,
  type TemporalConfig,
  type TemporalConnection,
} from './connect.js';
export {
  askCycle,
  type CycleSignals,
  cancelCycle,
  cycleStatus,
  type Heard,
  type StartedWorkflow,
  signalCycle,
  startCycle,
  tellCycle,
} from './cycles-client.js';
export { parkedCycles } from './parked-cycles.js';
export {
  ensureSearchAttributes,
  missingSearchAttributes,
  searchAttributesCommand,
} from './search-attributes.js';
export { TASK_QUEUE } from './task-queues.js';
export {
  cycleWorkflowId,
  RETRAINING_CYCLE,
  SIGNALS,
  type SignalName,
  STATUS_QUERY,
} from './workflow-names.js';
export type {
  CycleInput,
  CycleOutcome,
  CycleReason,
  CycleStatus,
  ExtendMessage,
  HaltEvidence,
  HaltMessage,
  LaunchOutcome,
  MessageAnswer,
  MessageNote,
  Phase,
  PromoteMessage,
  ResumeMessage,
  RollbackInput,
  RollbackMessage,
  RollbackOutcome,
  StatusLook,
} from './workflow-types.js';
