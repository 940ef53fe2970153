import { writeFileSync } from 'node:fs';
import { checkDemoOptions, usage } from '#setup/demo-options.mjs';
import { runDemo } from './run-demo.js';

const checked = checkDemoOptions(process.argv.slice(2));
if (!checked.ok) {
  process.stderr.write(`${checked.message}\n`);
  process.exit(2);
}
const { options } = checked;
if (options.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
// Not writable is found out now and not after four minutes.
if (options.json !== null) {
  try {
    writeFileSync(options.json, '', { flag: 'a' });
  } catch (error) {
    process.stderr.write(`--json: ${options.json} cannot be written (${(error as NodeJS.ErrnoException).code})\n`);
    process.exit(2);
  }
}
process.exitCode = await runDemo(options);
