import { Counter, Gauge, type Registry } from 'prom-client';
import type { RouteFollower } from '../routing/index.js';

/** How far this gateway follows the routes; no label names a model. */
export function addRouteMetrics(registry: Registry, routes: Pick<RouteFollower, 'age' | 'status'>): void {
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  gauge(
    'understudy_routes_age_seconds',
    'Since all routes were read; infinite when they never were or when nobody can tell',
    () => (routes.age() ?? Number.POSITIVE_INFINITY) / 1_000,
  );
  gauge('understudy_routes_saved', '1 while routes that an earlier process left on disk are in force', () =>
    routes.status().source === 'saved' ? 1 : 0,
  );
  gauge('understudy_routes_listening', '1 while route changes are heard at once; else a poll finds them', () =>
    routes.status().listening ? 1 : 0,
  );
  new Counter({
    name: 'understudy_route_reads_total',
    help: 'Readings of all routes, of one, and notifications that needed none',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [kind, count] of Object.entries(routes.status().reads)) this.inc({ kind }, count);
    },
  });
}
