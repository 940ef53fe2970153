import type { Context } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';

const EVERY_MS = 2_000;

/**
 * Heartbeats on behalf of an activity for as long as it runs. It says nothing about progress, only that the worker lives:
 * after a kill another worker takes over within the heartbeat timeout, not after the activity's whole timeout. It is also
 * how a cancellation reaches an activity.
 */
export function heartbeatWhileRunning(context: Context): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      if (context.info.isLocal) return next(input);
      const timer = setInterval(() => context.heartbeat(), EVERY_MS);
      try {
        return await next(input);
      } finally {
        clearInterval(timer);
      }
    },
  };
}
