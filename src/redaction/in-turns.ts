/** How long the work may hold the event loop at a stretch. */
const TURN_MS = 5;

let line: Promise<void> = Promise.resolve();

/** Does work that comes in steps, and lets everything else go on in between: a turn of the event loop for each stretch. */
export async function inTurns<Result>(steps: Iterator<undefined, Result>): Promise<Result> {
  let since = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - since < TURN_MS) continue;
    await nextTurn();
    since = performance.now();
  }
}

/** One at a time, however many wait: a hundred stretches in one turn would hold it as long as a single long one. */
function nextTurn(): Promise<void> {
  line = line.then(() => new Promise((resolve) => setImmediate(resolve)));
  return line;
}
