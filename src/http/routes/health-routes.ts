import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { assertMigrated, type Db } from '../../db/index.js';
import { errorDetail, UnderstudyError } from '../../errors.js';
import type { RouteFollower } from '../../routing/index.js';
import type { RouteTable } from '../define-route.js';
import { describeApi } from '../openapi.js';

const PATIENCE_MS = 2_000;

/** Health, metrics and the document of the API; none needs a key and none names a model. */
export function healthRoutes(
  app: FastifyInstance,
  table: RouteTable,
  parts: { db: Db; routes: RouteFollower; metrics: Registry; version: string },
): void {
  table.define(
    app,
    {
      method: 'GET',
      path: '/healthz',
      summary: 'The process runs; asks nobody else',
      scope: null,
      answer: z.strictObject({ status: z.literal('ok') }),
    },
    async () => ({ status: 'ok' as const }),
  );

  table.define(
    app,
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Postgres answers, its schema is current, and routes were read',
      scope: null,
      answer: z.strictObject({ status: z.literal('ready') }),
      errors: ['schema_outdated'],
    },
    async () => {
      await within(PATIENCE_MS, assertMigrated(parts.db.pool)).catch((error: unknown) => {
        if (!(error instanceof UnderstudyError) || error.code !== 'database_unreachable') throw error;
        const { detail } = error.details;
        throw new UnderstudyError('database_unreachable', { detail: `${String(detail)}; ${inForce(parts.routes)}` });
      });
      if (parts.routes.status().source !== 'postgres')
        throw new UnderstudyError('database_unreachable', {
          detail: `routes were not read yet; ${inForce(parts.routes)}`,
        });
      return { status: 'ready' as const };
    },
  );

  table.define(
    app,
    {
      method: 'GET',
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      scope: null,
      answer: z.string(),
      contentType: 'text/plain',
    },
    async ({ reply }) => reply.type(parts.metrics.contentType).send(await parts.metrics.metrics()),
  );

  let document: Record<string, unknown> | undefined;
  table.define(
    app,
    {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document',
      scope: null,
      answer: z.record(z.string(), z.unknown()),
    },
    // Made on first use: by then every route is in the table.
    async () => {
      document ??= describeApi(table.definitions, parts.version);
      return document;
    },
  );
}

/** What is served meanwhile: a server that is not ready may still answer. */
function inForce(routes: RouteFollower): string {
  const age = routes.age();
  if (age === undefined) return 'no route is known here';
  return Number.isFinite(age)
    ? `routes read ${Math.round(age / 1_000)} s ago are in force`
    : 'routes of unknown age are in force';
}

/** Whatever is wrong with Postgres, but for its schema, is that it cannot be reached in time. */
async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new UnderstudyError('database_unreachable', { detail: 'no answer in time' })),
      milliseconds,
    );
  });
  try {
    await Promise.race([work, late]);
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError('database_unreachable', { detail: errorDetail(error) });
  } finally {
    clearTimeout(timer);
  }
}
