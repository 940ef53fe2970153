/** What is known of a model call when it starts. */
export interface TracedCall {
  /** As the GenAI conventions name it. */
  operation: 'chat' | 'text_completion' | 'embeddings';
  /** What the client asked for. */
  model: string;
  startedAt: Date;
  /** Of the client, in lower case: its trace is continued. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The client's body. Its settings are recorded, its texts are not. */
  request: Readonly<Record<string, unknown>>;
}

/** How it ended. */
export interface TracedEnd {
  /** Id of the interaction. */
  interaction: string;
  /** The version that answered. */
  version: number;
  /** The arm's; null outside an experiment, like the next two. */
  assignedVersion: number | null;
  arm: string | null;
  experiment: string | null;
  /** The champion answered for a version that could not. */
  fallback: boolean;
  /** Who was asked; undefined where that was one of several. */
  url: string | undefined;
  /** The answer's body. Model, token counts and finish reasons are recorded, texts are not. */
  response: Readonly<Record<string, unknown>> | null;
  /** Class of the error, with few different values; undefined when all went well. */
  error: string | undefined;
}

/** The span of one call. */
export interface CallSpan {
  /** What the upstream is sent, so that its spans become children of this one: `traceparent`, `tracestate`. */
  headers: Readonly<Record<string, string>>;
  /** Called once. */
  end(end: TracedEnd): void;
}

/** Spans of model calls, by the GenAI conventions of OpenTelemetry. */
export interface Tracing {
  start(call: TracedCall): CallSpan;
  /** Sends what was not sent yet; waits a few seconds for it at most. */
  close(): Promise<void>;
}
