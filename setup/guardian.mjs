// The guardian outlives its parent by a few seconds. The parent tells it through a pipe which process groups it has
// started; when the pipe closes without a good-bye, the parent was killed, and the guardian ends those groups. It is the
// only thing that can act after a SIGKILL, so it depends on nothing and keeps out of the terminal's signals.
import process from 'node:process';
import readline from 'node:readline';
import { endGroups } from './processes.mjs';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE']) process.on(signal, () => {});

const groups = new Map();
let mark;
let dismissed = false;

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const message = JSON.parse(line);
  if (message.mark) mark = message.mark;
  // Insertion order is start order: a group that is told about again belongs at the end.
  if (message.add) {
    groups.delete(message.add.pid);
    groups.set(message.add.pid, message.add);
  }
  if (message.remove) groups.delete(message.remove);
  if (message.dismiss) dismissed = true;
});
lines.on('close', () => {
  const work = dismissed ? Promise.resolve() : endGroups([...groups.values()], { graceMs: 4000, mark });
  void work.finally(() => process.exit(0));
});
