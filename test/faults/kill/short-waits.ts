import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

/**
 * Bundled with the workflows for the tests that kill: a dead worker is noticed after 6 s instead of 30, and an activity of
 * the workflow's own task may be held for longer than it would be allowed to take.
 */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity: (input, next) => next({ ...input, options: { ...input.options, heartbeatTimeout: '6s' } }),
      scheduleLocalActivity: (input, next) =>
        next({
          ...input,
          options: { ...input.options, startToCloseTimeout: '2m', scheduleToCloseTimeout: '3m' },
        }),
    },
  ],
});
