import { Agent } from 'undici';
import { callUpstream, type UpstreamResult } from './call-upstream.js';
import type { Directory } from './directory.js';
import type { Endpoint } from './endpoint.js';

/** One request, for whichever version is to answer it. */
export interface Question {
  endpoint: Endpoint;
  /** The client's body, as it came. */
  text: string;
  /** Whether the client asked for server-sent events. */
  stream: boolean;
  /** Passed on as they are. */
  headers: Record<string, string>;
  /** Fires when the client goes away. */
  client: AbortSignal;
}

/** Connections to everybody who answers for a version. */
export interface Upstreams {
  /** Asks one version of a model. Never throws. */
  ask(model: string, version: number, question: Question): Promise<UpstreamResult>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 3_000;
const CONNECTIONS = 256;

export function openUpstreams(directory: Pick<Directory, 'model'>): Upstreams {
  // Time-outs are the target's, see callUpstream; undici's own would cut long generations.
  const dispatcher = new Agent({
    connections: CONNECTIONS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  let turn = 0;
  return {
    async ask(model, version, question) {
      const target = directory.model(model)?.targets.get(version);
      if (target === undefined)
        return { kind: 'failure', reason: 'misconfigured', detail: `version ${version} is not known here` };
      turn = (turn + 1) % 1_000_000;
      return callUpstream({ dispatcher, target, turn, ...question });
    },
    close: () => dispatcher.close(),
  };
}

/** Statuses of an upstream that are not the client's doing: our credentials, our model name, its load, its failure. */
const NOT_THE_CLIENTS = new Set([401, 403, 404, 408, 429]);

/** Whether a version other than the champion gets a second chance by the champion. */
export function isFailure(result: UpstreamResult): boolean {
  if (result.kind === 'answer') return result.status >= 500 || NOT_THE_CLIENTS.has(result.status);
  return result.kind === 'failure';
}

export const GONE = 'client gone';

/** Why there is no usable answer; safe to log, to store and to show. */
export function whyNot(result: UpstreamResult): string {
  if (result.kind === 'answer') return `status ${result.status}`;
  return result.kind === 'failure' ? `${result.reason}: ${result.detail}`.slice(0, 200) : GONE;
}
