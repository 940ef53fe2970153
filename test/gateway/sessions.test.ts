import { afterAll, beforeAll, expect, it } from 'vitest';
import { changeRoute, type NextRoute, type RouteAction, readRoute } from '../../src/routing/index.js';
import {
  seedExperiment,
  seedModel,
  seedVersion,
  startTestServer,
  subjectIn,
  type TestServer,
} from '../http/support.js';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startTestServer();
  key = await server.key('serve');
  await seedModel(server, 'support');
  await seedVersion(server.db, 'support', 2);
});
afterAll(() => server.close());

async function move(action: RouteAction, next: Partial<NextRoute>): Promise<void> {
  const { epoch, champion, previous, challenger, share, experimentId } = await readRoute(server.db, 'support');
  await changeRoute(server.db, {
    model: 'support',
    expectedEpoch: epoch,
    next: { champion, previous, challenger, share, experimentId, ...next },
    action,
    actor: 'test',
    reason: 'test',
    evidence: {},
  });
  await server.routes.refresh();
}

async function version(user: string, content: string, session?: string): Promise<string | null> {
  const answer = await server.request('/v1/chat/completions', {
    key,
    body: { model: 'support', user, messages: [{ role: 'user', content }] },
    headers: session === undefined ? {} : { 'x-understudy-session': session },
  });
  await answer.text();
  return answer.headers.get('x-understudy-version');
}

it('a promotion waits for conversations under way; experiments and rollbacks do not', async () => {
  expect(await version('ada', 'Hello', 'chat-1')).toBe('1');
  expect(await version('ada', 'A question without a name for its conversation')).toBe('1');

  const experiment = await seedExperiment(server, 'support');
  const user = subjectIn(experiment, true);
  expect(await version(user, 'Hello', 'chat-2')).toBe('2');
  await move('end_experiment', { challenger: null, share: null, experimentId: null });
  expect(await version(user, 'And then?', 'chat-2')).toBe('1');

  await move('promote', { champion: 2, previous: 1 });
  expect(await version('ada', 'And then?', 'chat-1')).toBe('1');
  expect(await version(user, 'Once more?', 'chat-2')).toBe('1');
  expect(await version('ada', 'A question without a name for its conversation')).toBe('1');
  expect(await version('ada', 'Something else', 'chat-3')).toBe('2');
  expect(await version('ada', 'Another question')).toBe('2');

  await move('rollback', { champion: 1, previous: null });
  expect(await version('ada', 'Something else', 'chat-3')).toBe('1');
});
