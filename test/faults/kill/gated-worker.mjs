// Loaded before the worker's program (`node --import`): every activity asks the test before it begins, and again when it has
// done its work and not yet answered. The program itself knows nothing of it.
import process from 'node:process';
import { Context } from '@temporalio/activity';
import { Worker } from '@temporalio/worker';

const { UNDERSTUDY_TEST_GATE: gate, UNDERSTUDY_TEST_BUNDLE: codePath } = process.env;

async function ask(moment) {
  const { activityType: activity, activityId: id, attempt, workflowExecution } = Context.current().info;
  const call = { workflow: workflowExecution.workflowId, activity, id, attempt, moment };
  await fetch(gate, { method: 'POST', body: JSON.stringify(call) });
}

const gated = (run) => async (input) => {
  await ask('before');
  const answer = await run(input);
  await ask('after');
  return answer;
};

const create = Worker.create.bind(Worker);
Worker.create = (options) =>
  create({
    ...options,
    activities: Object.fromEntries(Object.entries(options.activities).map(([name, run]) => [name, gated(run)])),
    // Every cycle of a test is held somewhere at once.
    maxConcurrentActivityTaskExecutions: 300,
    maxConcurrentLocalActivityExecutions: 300,
    // A task for a worker that is dead goes to another one after 10 s otherwise.
    stickyQueueScheduleToStartTimeout: '1s',
    ...(options.workflowBundle && { workflowBundle: { codePath } }),
  });
