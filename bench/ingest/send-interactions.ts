import { connectHttp, percentile } from '../harness/index.js';
import type { Records } from './records.js';

/** How often an interaction that was acknowledged is sent again: every twentieth. */
const RESENT_EVERY = 20;
/** So far back a resend reaches at least, so that what it repeats was acknowledged, and not only on its way. */
const BACK = 20_000;

export interface Sent {
  stored: number;
  duplicates: number;
  /** From the first byte of a request to the last of its answer, in milliseconds. */
  p50_ms: number;
  p99_ms: number;
}

/**
 * Sends `count` interactions over `connections` keep-alive connections, `batch` in a request, each connection one request
 * at a time; 5 % of them were sent before.
 *
 * @throws Error for any answer but one `stored` or `duplicate` for each interaction
 */
export async function sendInteractions(options: {
  port: number;
  key: string;
  records: Records;
  count: number;
  batch: number;
  connections: number;
  onProgress?: (sent: number) => void;
}): Promise<Sent> {
  const { port, key, records, count, batch, connections, onProgress } = options;
  const prefix = Buffer.from('{"interactions":[');
  const comma = Buffer.from(',');
  const suffix = Buffer.from(']}');
  const back = Math.min(BACK, Math.floor(count / 4 / RESENT_EVERY) * RESENT_EVERY);
  const latencies: number[] = [];
  let next = 0;
  let fresh = 0;
  let [stored, duplicates] = [0, 0];

  const body = (): Buffer[] => {
    const parts = [prefix];
    for (let index = 0; index < batch && next < count; index++) {
      // The templates are written over, so that every record is copied.
      const resent = next % RESENT_EVERY === RESENT_EVERY - 1 && fresh > back;
      const number = resent ? fresh - back : fresh++;
      next += 1;
      if (index > 0) parts.push(comma);
      parts.push(Buffer.from(records.bytes(number)));
    }
    parts.push(suffix);
    return parts;
  };
  const work = async () => {
    const connection = await connectHttp(port);
    try {
      while (next < count) {
        const content = Buffer.concat(body());
        const header = `POST /v1/interactions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${content.length}\r\n\r\n`;
        const start = performance.now();
        const answer = await connection.send([Buffer.from(header), content]);
        latencies.push(performance.now() - start);
        if (answer.status !== 200)
          throw new Error(`answered ${answer.status}: ${answer.body.toString().slice(0, 300)}`);
        const { results } = JSON.parse(answer.body.toString()) as { results: { status: string }[] };
        for (const { status } of results) {
          if (status === 'stored') stored += 1;
          else if (status === 'duplicate') duplicates += 1;
          else throw new Error(`an interaction was answered ${status}`);
        }
        onProgress?.(stored + duplicates);
      }
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  if (stored + duplicates !== count) throw new Error(`${count} were sent, ${stored + duplicates} acknowledged`);
  return { stored, duplicates, p50_ms: percentile(latencies, 0.5), p99_ms: percentile(latencies, 0.99) };
}
