import type { Policy } from '../policy/index.js';
import type { LeftOut, Row } from './row.js';

/** What all steps of one curation may look at. */
export interface StepContext {
  readonly curation: Policy['curation'];
  /** `questionKey` of every golden row. */
  readonly goldenQuestions: ReadonlySet<string>;
}

/**
 * One step of the curation. `prepare` is called once for each curation and may keep a memory; the function it returns sees
 * the rows newest first and answers the row, perhaps changed, or `leaveOut(reason)`.
 */
export interface Step {
  readonly name: string;
  prepare(context: StepContext): (row: Row) => Row | LeftOut;
}
