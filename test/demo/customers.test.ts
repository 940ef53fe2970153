import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Customers, type CustomersOptions } from '../../demo/customers.js';
import { again, once } from '../../demo/question-feed.js';
import type { Question } from '../../demo/questions.js';

interface Asked {
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}
interface Item {
  id: string;
  interaction: string;
  kind: string;
  value: unknown;
}
type Reply = { status: number; headers?: Record<string, string>; body: string } | 'hang up';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const completion = (n: number, content: string): Reply => ({
  status: 200,
  headers: { 'x-understudy-version': n % 2 ? '2' : '1', 'x-understudy-arm': n % 2 ? 'challenger' : 'champion' },
  body: JSON.stringify({ id: `interaction-${n}`, choices: [{ index: 0, message: { role: 'assistant', content } }] }),
});
const stored = (items: readonly Item[]): Reply => ({
  status: 200,
  body: JSON.stringify({ results: items.map(({ id }) => ({ id, status: 'stored' })) }),
});

/** A gateway that remembers what it was asked and told; `chat` and `feedback` say what it answers. */
async function gateway(
  chat: (text: string, n: number) => Reply = (_, n) => completion(n, 'right'),
  feedback: (items: Item[], n: number) => Reply = stored,
) {
  const asked: Asked[] = [];
  const batches: Item[][] = [];
  let busy = 0;
  let busiest = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString());
      let reply: Reply;
      if (request.url === '/v1/chat/completions') {
        asked.push({ headers: request.headers, body });
        busiest = Math.max(busiest, ++busy);
        reply = chat(body.messages[0].content, asked.length - 1);
      } else {
        batches.push(body.feedback);
        reply = feedback(body.feedback, batches.length - 1);
      }
      setTimeout(() => {
        if (request.url === '/v1/chat/completions') busy -= 1;
        if (reply === 'hang up') request.socket.destroy();
        else response.writeHead(reply.status, reply.headers).end(reply.body);
      }, 2);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked, batches, busiest: () => busiest, items: () => batches.flat() };
}

function customersAt(url: string, more: Partial<CustomersOptions> = {}): Customers {
  const customers = new Customers({
    gateway: url,
    apiKey: 'us_test',
    model: 'support-desk',
    seed: 7,
    labels: ['right', 'left', 'up'],
    subjects: 20,
    ...more,
  });
  open.push(() => customers.close());
  return customers;
}

const questions = (count: number): Question[] =>
  Array.from({ length: count }, (_, n) => ({ text: `question ${n}`, intent: n % 2 ? 'left' : 'right' }));

function groupByAnswer(items: readonly Item[]): Map<string, Item[]> {
  const answers = new Map<string, Item[]>();
  for (const item of items) answers.set(item.interaction, [...(answers.get(item.interaction) ?? []), item]);
  return answers;
}

describe('customers', () => {
  it('ask every question once by the OpenAI protocol and rate every answer', async () => {
    const desk = await gateway();
    const customers = customersAt(desk.url);
    await customers.start({ questions: once(questions(400)), concurrency: 8 });

    expect(desk.asked).toHaveLength(400);
    expect(desk.busiest()).toBeLessThanOrEqual(8);
    expect(desk.asked[0]?.headers.authorization).toBe('Bearer us_test');
    expect(desk.asked[0]?.body).toMatchObject({
      model: 'support-desk',
      user: expect.stringMatching(/^customer-00[0-2]\d$/),
    });
    expect(new Set(desk.asked.map(({ body }) => body.user)).size).toBe(20);
    const thumbs = desk.items().filter(({ kind }) => kind === 'thumbs');
    expect(new Set(thumbs.map(({ interaction }) => interaction)).size).toBe(400);
    const corrections = desk.items().filter(({ kind }) => kind === 'correction');
    expect(corrections.length).toBeGreaterThan(15);
    for (const { value } of corrections) expect(value).toBe('left');

    const totals = customers.totals();
    expect(totals).toMatchObject({ requests: 400, failed: 0, failures: {} });
    expect(totals.versions['1']!.asked + totals.versions['2']!.asked).toBe(400);
    expect(totals.versions['1']!.right + totals.versions['2']!.right).toBe(200);
    expect(totals.arms.champion!.asked).toBe(200);
    expect(totals.feedback).toEqual({ stored: desk.items().length, refused: 0, lost: 0, pending: 0, retries: 0 });
  });

  it('are the same people with the same opinions for the same seed, however the requests interleave', async () => {
    const opinions = async (concurrency: number) => {
      const desk = await gateway((text) => ({ ...(completion(0, 'right') as object), ...idOf(text) }) as Reply);
      await customersAt(desk.url).start({ questions: once(questions(120)), concurrency });
      const said = desk.items().map(({ interaction, kind, value }) => `${interaction} ${kind} ${value}`);
      const people = desk.asked.map(({ body }) => `${JSON.stringify(body.messages)} ${body.user}`);
      return { said: said.sort(), people: people.sort() };
    };
    const idOf = (text: string) => ({
      body: JSON.stringify({ id: text, choices: [{ message: { content: 'right' } }] }),
    });
    expect(await opinions(16)).toEqual(await opinions(1));
  });

  it('keep the subject of a question that names one, and answers count without their white space', async () => {
    const desk = await gateway((_, n) => completion(n, ' right\n'));
    const customers = customersAt(desk.url);
    await customers.start({ questions: once([{ text: 'a', intent: 'right', subject: 'user-9' }]), concurrency: 1 });
    expect(desk.asked[0]?.body.user).toBe('user-9');
    expect(customers.totals().versions['1']).toMatchObject({ asked: 1, right: 1 });
  });

  it('count failures by status, rate none of them, and go on', async () => {
    const replies: Reply[] = [
      { status: 503, headers: { 'x-understudy-version': '1' }, body: '{"error":{}}' },
      'hang up',
      { status: 200, body: 'not JSON' },
      { status: 200, body: '{"id":"x","choices":[]}' },
    ];
    const desk = await gateway((_, n) => replies[n] ?? completion(n, 'right'));
    const customers = customersAt(desk.url);
    await customers.start({ questions: once(questions(6)), concurrency: 1 });
    const totals = customers.totals();
    expect(totals).toMatchObject({ requests: 6, failed: 4, failures: { '503': 1, network: 1, body: 2 } });
    expect(totals.versions['1']).toMatchObject({ asked: 1, failed: 1 });
    expect(new Set(desk.items().map(({ interaction }) => interaction))).toEqual(
      new Set(['interaction-4', 'interaction-5']),
    );
  });

  it('send feedback again until it is stored, under the same ids and in batches of at most 100', async () => {
    const trouble: Reply[] = [{ status: 500, body: '' }, 'hang up', { status: 429, body: '' }];
    const desk = await gateway(undefined, (items, n) => trouble[n] ?? stored(items));
    const customers = customersAt(desk.url);
    await customers.start({ questions: once(questions(150)), concurrency: 10 });
    const { feedback } = customers.totals();
    expect(feedback).toMatchObject({ refused: 0, lost: 0, pending: 0, retries: 3 });
    // A resend may take more along that came meanwhile.
    const first = desk.batches[0]!.map(({ id }) => id);
    expect(desk.batches[3]!.map(({ id }) => id).slice(0, first.length)).toEqual(first);
    const accepted = desk.batches.slice(3).flat();
    expect(accepted).toHaveLength(feedback.stored);
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(accepted.length);
    expect(Math.max(...desk.batches.map((batch) => batch.length))).toBeLessThanOrEqual(100);
  });

  it('send the last word last: ids of one answer rise in the order of what was said', async () => {
    const desk = await gateway();
    await customersAt(desk.url).start({ questions: once(questions(60)), concurrency: 4, style: 'wrong-labels' });
    const byAnswer = groupByAnswer(desk.items());
    expect(byAnswer.size).toBe(60);
    for (const said of byAnswer.values()) {
      const inOrder = said.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      expect(inOrder.map(({ kind }) => kind)).toEqual(['correction', 'thumbs']);
    }
  });

  it('give up feedback that is refused instead of sending it for ever', async () => {
    const desk = await gateway(undefined, (items, n) =>
      n === 0
        ? { status: 400, body: '{}' }
        : { status: 200, body: JSON.stringify({ results: items.map(() => ({ status: 'invalid' })) }) },
    );
    const customers = customersAt(desk.url);
    await customers.start({ questions: once(questions(150)), concurrency: 10 });
    const { feedback } = customers.totals();
    expect(feedback.refused).toBe(desk.items().length);
    expect(feedback).toMatchObject({ stored: 0, pending: 0, retries: 0 });
  });

  it('keep to the rate, stop when told, and can start again', async () => {
    const desk = await gateway();
    const customers = customersAt(desk.url);
    const started = performance.now();
    const asking = customers.start({ questions: again(questions(3)), concurrency: 8, ratePerSecond: 50 });
    expect(() => customers.start({ questions: again(questions(3)), concurrency: 1 })).toThrow('asking already');
    await new Promise((resolve) => setTimeout(resolve, 600));
    await customers.stop();
    await asking;
    const seconds = (performance.now() - started) / 1000;
    expect(desk.asked.length).toBeGreaterThan(5);
    expect(desk.asked.length).toBeLessThanOrEqual(50 * seconds + 8);
    expect(customers.totals().feedback.pending).toBe(0);
    const before = desk.asked.length;
    await customers.start({ questions: once(questions(2)), concurrency: 1 });
    expect(desk.asked.length).toBe(before + 2);
  });

  it('survive a gateway that is not there', async () => {
    const customers = customersAt('http://127.0.0.1:9');
    const asking = customers.start({ questions: again(questions(3)), concurrency: 4 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await customers.stop();
    await asking;
    const { requests, failed, failures } = customers.totals();
    expect(failed).toBe(requests);
    expect(failures).toEqual({ network: failed });
    // They wait after a failure: 4 customers, 300 ms, 200 ms between two tries.
    expect(requests).toBeLessThanOrEqual(12);
  });
});
