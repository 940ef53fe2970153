import { Agent } from 'undici';
import { callUpstream, type UpstreamResult } from './call-upstream.js';
import { createCircuits } from './circuits.js';
import type { ClientSignal } from './client-signal.js';
import type { Directory, Target } from './directory.js';
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
  client: ClientSignal;
}

/** Connections to everybody who answers for a version. */
export interface Upstreams {
  /**
   * Asks one version of a model: replica after replica until one can be connected to (or, on several replicas, knows the
   * version), once more for each of the policy's retries, all within its time-out. Never throws.
   *
   * @param last nobody else can answer: it is asked although it keeps failing, and retries are worth their time
   */
  ask(model: string, version: number, question: Question, last: boolean): Promise<UpstreamResult>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 3_000;
/** Before the first retry; doubled for each one after it, and made uneven so that retries do not come in step. */
const RETRY_AFTER_MS = 100;
/** The upstream, or what stands before it, is away for a moment. */
const PASSING = new Set([502, 503, 504]);

export function openUpstreams(directory: Pick<Directory, 'model'>): Upstreams {
  // Time-outs are the target's, see callUpstream; undici's own would cut long generations. As many connections as there
  // are requests under way: the gateway bounds those.
  const dispatcher = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS }, headersTimeout: 0, bodyTimeout: 0 });
  const circuits = createCircuits();
  let turn = 0;

  /** Each replica once, in order, until one of them takes the request. */
  async function askReplicas(target: Target, question: Question, last: boolean, deadline: number) {
    turn = (turn + 1) % 1_000_000;
    const order = inTurn(target.urls, turn);
    const address = (url: string) => `${url} ${target.model}`;
    const healthy = order.filter((url) => circuits.allows(address(url)));
    if (healthy.length === 0 && !last) return CIRCUIT_OPEN;
    let result: UpstreamResult = { kind: 'failure', reason: 'misconfigured', detail: 'no address' };
    for (const url of healthy.length === 0 ? order : healthy) {
      const { endpoint, text, stream, headers, client } = question;
      const whole = `${url}/${endpoint}`;
      result = await callUpstream({ dispatcher, target, url: whole, deadline, text, stream, headers, client });
      if (result.kind !== 'gone') circuits.record(address(url), isSound(result));
      if (!isElsewhere(result)) break;
    }
    return result;
  }

  return {
    async ask(model, version, question, last) {
      const target = directory.model(model)?.targets.get(version);
      if (target === undefined)
        return { kind: 'failure', reason: 'misconfigured', detail: `version ${version} is not known here` };
      const deadline = performance.now() + target.timeoutMs;
      for (let attempt = 0; ; attempt++) {
        const result = await askReplicas(target, question, last, deadline);
        if (!last || attempt >= target.retries || !mayPass(result)) return result;
        const pause = RETRY_AFTER_MS * 2 ** attempt * (0.5 + Math.random());
        if (performance.now() + pause >= deadline) return result;
        await waitWith(question.client, pause);
        if (question.client.aborted) return { kind: 'gone' };
      }
    },
    close: () => dispatcher.close(),
  };
}

/** A while, unless the client goes away before. */
function waitWith(client: ClientSignal, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      client.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, client.aborted ? 0 : milliseconds);
    client.addEventListener('abort', over, { once: true });
  });
}

const CIRCUIT_OPEN: UpstreamResult = { kind: 'failure', reason: 'circuit_open', detail: 'failed again and again' };

function inTurn(urls: readonly string[], turn: number): readonly string[] {
  if (urls.length === 1) return urls;
  const first = turn % urls.length;
  return [...urls.slice(first), ...urls.slice(0, first)];
}

/** Another replica may be asked without harm: nothing has reached a server, or it does not know the version. */
function isElsewhere(result: UpstreamResult): boolean {
  if (result.kind === 'failure') return result.reason === 'unreachable';
  return result.kind === 'answer' && result.status === 404;
}

/** Worth a retry: no time-out, which took all there was, and nothing that would only be said again. */
function mayPass(result: UpstreamResult): boolean {
  if (result.kind === 'failure') return result.reason === 'unreachable' || result.reason === 'broken';
  return result.kind === 'answer' && PASSING.has(result.status);
}

/** Whether it says that the address works: what a client did wrong, or its limits, do not speak against it. */
function isSound(result: UpstreamResult): boolean {
  if (result.kind === 'answer') return result.status < 500 && result.status !== 404;
  return result.kind === 'stream';
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
