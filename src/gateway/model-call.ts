import type { ClientSignal } from './client-signal.js';
import type { Endpoint } from './endpoint.js';
import type { AnswerStream } from './stream-answer.js';
import { decodeHeader } from './subject-of-request.js';

/** One request of an OpenAI client, as the server got it. */
export interface ModelCall {
  endpoint: Endpoint;
  /** The body as it came. */
  body: Buffer;
  /** Who calls: the id of the key. */
  caller: string;
  /** In lower case. */
  headers: Record<string, string | string[] | undefined>;
  /** Models the caller may not see are answered as unknown. */
  maySee: (model: string) => boolean;
  /** Fires when the client goes away. */
  client: ClientSignal;
  /** Told the tokens that were used, once, when the answer has ended; absent: nobody counts them. */
  charge?: ((tokens: number) => void) | undefined;
}

export interface ModelAnswer {
  status: number;
  headers: Record<string, string>;
  /** A stream is started or destroyed; it ends by itself when the client goes away. */
  body: string | AnswerStream;
}

/** One header of a call, decoded; undefined when it is absent or blank. */
export function headerOf(call: Pick<ModelCall, 'headers'>, name: string): string | undefined {
  const value = call.headers[name];
  return decodeHeader(Array.isArray(value) ? value[0] : value);
}

const PASSED_ON = ['traceparent', 'tracestate'];

/** Headers of the client that the upstream gets too. */
export function passedOn({ headers }: Pick<ModelCall, 'headers'>): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = headers[name];
    if (typeof value === 'string') passed[name] = value;
  }
  return passed;
}
