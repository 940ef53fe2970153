// `npm run build`: packages, generated client, compiled programs, bundled workflows; what is fresh is left alone.
import process from 'node:process';
import { build, client, packages } from './clone-steps.mjs';
import { runCommand } from './command.mjs';
import { Progress } from './progress.mjs';
import { runSteps } from './steps.mjs';

const progress = new Progress();
try {
  await runSteps([packages, client, build], { progress, signal: new AbortController().signal, run: runCommand });
} catch (error) {
  progress.say(error.message);
  process.exitCode = 1;
}
