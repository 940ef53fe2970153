import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { maySee } from '../../access/index.js';
import type { Gateway } from '../../gateway/index.js';
import { modelName } from '../../policy/index.js';
import type { RouteTable } from '../define-route.js';

const assignment = z.strictObject({
  model: z.string(),
  version: z.int().describe('The version to call'),
  arm: z.enum(['champion', 'challenger', 'holdback']).nullable().describe('Null outside an experiment'),
  experiment: z.uuid().nullable().describe('Null outside an experiment'),
  epoch: z.int().describe('Of the route it rests on'),
});

/** For apps that call the model themselves and post what happened. */
export function assignmentRoute(app: FastifyInstance, table: RouteTable, gateway: Pick<Gateway, 'assign'>): void {
  table.define(
    app,
    {
      method: 'GET',
      path: '/v1/assignment',
      summary: 'The version that is to answer a subject; records the exposure',
      scope: 'serve',
      query: z.strictObject({
        model: modelName,
        subject: z.string().min(1).max(1_024).optional().describe('The person or account; absent: the champion'),
      }),
      answer: assignment,
      errors: ['unknown_model'],
    },
    async ({ query, principal, reply }) => {
      // A stored answer would outlive the route it rests on.
      reply.header('cache-control', 'no-store');
      return gateway.assign({
        model: query.model,
        subject: query.subject,
        maySee: (model) => maySee(principal, model),
      });
    },
  );
}
