export { type CancelInput, cancelTraining } from './cancel-training.js';
export { type FollowInput, followTraining } from './follow-training.js';
export { createTrainingProviders } from './providers.js';
export { progressRecorder } from './record-progress.js';
export { type SubmitInput, submitTraining } from './submit-training.js';
export type { TrainingProgress, TrainingProviders } from './training-provider.js';
export type { TrainedAdapter } from './training-run.js';
