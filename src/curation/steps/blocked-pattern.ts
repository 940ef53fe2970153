import vm from 'node:vm';
import { UnderstudyError } from '../../errors.js';
import { leaveOut, type Row } from '../row.js';
import type { Step } from '../step.js';

/** More than this is not searched but left out: an unsearched tail could hold what is blocked. */
const MAX_CHARS = 200_000;
const MAX_MS = 200;
/** After so many rows that took longer, the pattern is at fault, not the rows. */
const MAX_TIMEOUTS = 20;

/** Leaves out rows in which one of `blocked_patterns` occurs, in any turn or in the answer; case does not matter. */
export const blockedPattern: Step = {
  name: 'blocked_pattern',
  prepare({ curation }) {
    if (curation.blocked_patterns.length === 0) return (row) => row;
    const matches = boundedMatcher(curation.blocked_patterns);
    let timeouts = 0;
    return (row) => {
      const text = wholeText(row);
      if (text.length > MAX_CHARS) return leaveOut('too_long');
      const found = matches(text);
      if (found === 'timeout') {
        timeouts += 1;
        if (timeouts > MAX_TIMEOUTS) {
          const detail =
            'curation.blocked_patterns: a pattern takes too long (nested repetitions?); write it without them';
          throw new UnderstudyError('invalid_policy', { detail });
        }
      }
      return found === false ? row : leaveOut('blocked_pattern');
    };
  },
};

const wholeText = (row: Row) => [...row.messages.map(({ content }) => content), row.answer].join('\n');

/**
 * A pattern such as `(a+)+$` can keep the engine busy for years on a short text, and nothing in the thread could stop it.
 * A script of a vm context can be given a time limit, which also ends a regular expression.
 */
function boundedMatcher(sources: readonly string[]): (text: string) => boolean | 'timeout' {
  const context = vm.createContext({ sources: [...sources], text: '' });
  vm.runInContext("const patterns = sources.map((source) => new RegExp(source, 'iu'))", context);
  const search = new vm.Script('patterns.some((pattern) => pattern.test(text))');
  return (text) => {
    context.text = text;
    try {
      return search.runInContext(context, { timeout: MAX_MS }) as boolean;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'timeout';
      throw error;
    } finally {
      context.text = '';
    }
  };
}
