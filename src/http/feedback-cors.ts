import type { FastifyInstance } from 'fastify';

const PATH = '/v1/feedback';

/**
 * Lets pages of these origins send feedback from the browser, with a feedback token. Preflights are answered here. What
 * counts is the token: there are no cookies, so that `*` gives no page anything that a program does not have.
 *
 * @param origins `https://app.example.org`, or `*` for all; empty: pages of this server's own origin only
 */
export function feedbackCors(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    if (request.url.split('?', 1)[0] !== PATH) return;
    reply.header('vary', 'Origin');
    const { origin } = request.headers;
    if (origin === undefined || !(origins.includes('*') || origins.includes(origin))) return;
    reply.header('access-control-allow-origin', origins.includes('*') ? '*' : origin);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return;
    return reply
      .code(204)
      .headers({
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'authorization, content-type',
        'access-control-max-age': '600',
      })
      .send();
  });
}
