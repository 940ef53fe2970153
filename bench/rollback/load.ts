import { connectHttp } from '../harness/index.js';

export interface Load {
  /** Answers so far, and those that were not 200. */
  counts(): { answered: number; failed: number; skipped: number };
  /** Answers by an old version to requests that were sent after `since`, by the clock of `performance.now()`. */
  watch(since: number, model: string): () => number;
  stop(): Promise<void>;
}

const TICK_MS = 5;

/**
 * Offers `rate` chat completions a second in all to the gateways, evenly, whatever they make of it: each goes to the next
 * idle connection, and is skipped and counted when there is none.
 */
export async function startLoad(
  gateways: readonly { port: number }[],
  options: { rate: number; connections: number; model: string; key: string },
): Promise<Load> {
  const counts = { answered: 0, failed: 0, skipped: 0 };
  let watched: { since: number; model: string; late: number } | undefined;
  const connections = await Promise.all(
    gateways.flatMap(({ port }, gateway) =>
      Array.from({ length: options.connections }, async () => ({ gateway, http: await connectHttp(port) })),
    ),
  );
  const idle = gateways.map((_, index) => connections.filter(({ gateway }) => gateway === index));
  const underWay = new Set<Promise<void>>();
  let sent = 0;

  async function ask(connection: (typeof connections)[number]): Promise<void> {
    const { gateway, http } = connection;
    sent += 1;
    const body = Buffer.from(
      JSON.stringify({
        model: options.model,
        messages: [{ role: 'user', content: `question ${sent} ${'y'.repeat(180)}` }],
        user: `g${gateway}-${sent}`,
      }),
    );
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${options.key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const startedAt = performance.now();
    const answer = await http.send([Buffer.from(head), body]);
    counts.answered += 1;
    if (answer.status !== 200) counts.failed += 1;
    else if (watched !== undefined && startedAt > watched.since && answer.body.includes(`"model":"${watched.model}"`))
      watched.late += 1;
    idle[gateway]!.push(connection);
  }

  const startedAt = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    const until = ((performance.now() - startedAt) / 1_000) * options.rate;
    for (; due < until; due++) {
      const connection = idle[due % gateways.length]!.shift();
      if (connection === undefined) {
        counts.skipped += 1;
        continue;
      }
      const one = ask(connection).catch(() => {
        counts.failed += 1;
      });
      underWay.add(one);
      void one.then(() => underWay.delete(one));
    }
  }, TICK_MS);

  return {
    counts: () => ({ ...counts }),
    watch(since, model) {
      const mine = { since, model, late: 0 };
      watched = mine;
      return () => {
        if (watched === mine) watched = undefined;
        return mine.late;
      };
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      for (const { http } of connections) http.close();
    },
  };
}
