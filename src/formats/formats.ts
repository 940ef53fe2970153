import { dataFlywheel } from './data-flywheel.js';
import type { Format } from './format.js';
import { langfuse } from './langfuse.js';
import { messages } from './messages.js';
import { openai } from './openai.js';
import { records } from './records.js';
import { tensorzero } from './tensorzero.js';
import { fieldsOf } from './values.js';

/** The formats made of rows of JSON, by the name they have on the command line. */
export const FORMATS = {
  records,
  openai,
  messages,
  'data-flywheel': dataFlywheel,
  langfuse,
  tensorzero,
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;

/** The most telling marks first: a log of the flywheel is also a request with its response. */
const ORDER: readonly FormatName[] = ['data-flywheel', 'tensorzero', 'langfuse', 'records', 'openai', 'messages'];

/** The format that a row looks like, or undefined when it looks like none. */
export function recognizeFormat(value: unknown): FormatName | undefined {
  const fields = fieldsOf(value);
  return fields === undefined ? undefined : ORDER.find((name) => FORMATS[name].recognizes(fields));
}
