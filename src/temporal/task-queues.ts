/** Workflows and short activities. */
export const TASK_QUEUE = 'understudy';

/** Following training jobs: activities that last for hours and must not take the slots of short ones. */
export const TRAINING_TASK_QUEUE = 'understudy-training';
