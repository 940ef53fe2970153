import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One activity that a workflow asked for; `id` counts them in the order of the workflow's code, the same in every run. */
export interface Step {
  workflow: string;
  activity: string;
  id: string;
}

/** `before` it has begun, `inside` it when its work is done and its answer is not yet given, `after` its answer. */
export const MOMENTS = ['before', 'inside', 'after'] as const;

/** Where a workflow is stopped. */
export interface Boundary extends Step {
  moment: (typeof MOMENTS)[number];
}

interface Call extends Step {
  attempt: number;
  moment: 'before' | 'after';
}

/** Stops workflows at boundaries, by not answering the worker that asks whether an activity may begin or answer. */
export interface Gate {
  url: string;
  /** The steps that workflows have begun so far, in their order. */
  steps: Step[];
  /** From now on this workflow goes as far as the boundary and no further. */
  stopAt(boundary: Boundary): void;
  /** Boundaries that no workflow has come to yet. */
  missing(): Boundary[];
  /** Nobody is held from now on. */
  open(): void;
  close(): Promise<void>;
}

/** After an answer has been let through, it is with Temporal when nothing has followed for so long. */
const SETTLED_MS = 400;

/** `before`: what happens in the world before a step is let go. */
export async function startGate(before: (step: Step) => Promise<void>): Promise<Gate> {
  const steps: Step[] = [];
  let boundaries = new Map<string, Boundary & { arrived: boolean; passed?: boolean }>();
  let held: ServerResponse[] = [];

  function mustWait(call: Call): boolean {
    const boundary = boundaries.get(call.workflow);
    if (boundary === undefined) return false;
    const here = boundary.id === call.id && boundary.activity === call.activity;
    if (boundary.moment === 'after') {
      if (boundary.passed) return true;
      if (!here || call.moment === 'before') return false;
      boundary.passed = true;
      setTimeout(() => {
        boundary.arrived = true;
      }, SETTLED_MS);
      return false;
    }
    if (!here || (boundary.moment === 'before') !== (call.moment === 'before')) return false;
    boundary.arrived = true;
    return true;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const call = JSON.parse(Buffer.concat(chunks).toString()) as Call;
    const { workflow, activity, id } = call;
    if (call.moment === 'before') await before(call);
    if (call.moment === 'before' && call.attempt === 1) steps.push({ workflow, activity, id });
    if (mustWait(call)) held.push(response);
    else response.writeHead(204).end();
  }

  const server = createServer((request, response) => {
    // The activity fails, and its failure says what the world refused to do.
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    steps,
    stopAt(boundary) {
      boundaries.set(boundary.workflow, { ...boundary, arrived: false });
    },
    missing: () => [...boundaries.values()].filter(({ arrived }) => !arrived),
    open() {
      boundaries = new Map();
      for (const response of held) response.writeHead(204).end();
      held = [];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
