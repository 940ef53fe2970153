import { showModel } from '../registry/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** Route, versions, running cycle and the last route changes of a model. */
export async function modelShow(model: string, options: { json?: boolean }): Promise<void> {
  const view = await withDb((db) => showModel(db, model));
  show(options.json ?? false, view, () => {
    const { route } = view;
    const second =
      route.challenger === null
        ? ''
        : `; ${Math.round((route.share ?? 0) * 100)} % on version ${route.challenger} (experiment ${route.experiment})`;
    return [
      `${view.name}${view.sandbox ? ' (sandbox)' : ''}: version ${route.champion} is champion${second}; epoch ${route.epoch}`,
      view.cycle
        ? `cycle ${view.cycle.workflow_id}: ${view.cycle.phase}, started ${view.cycle.started_at.toISOString()}`
        : 'no cycle is running',
      '',
      table(
        ['version', 'label', 'role', 'state', 'kind', 'served as', 'created'],
        view.versions.map((version) => [
          version.version,
          version.label,
          version.role,
          version.state,
          version.kind,
          version.served_as,
          version.created_at.toISOString(),
        ]),
      ),
      '',
      table(
        ['epoch', 'at', 'action', 'actor', 'reason'],
        view.route_changes.map((change) => [
          change.epoch,
          change.created_at.toISOString(),
          change.forced ? `${change.action} (forced)` : change.action,
          change.actor,
          change.reason,
        ]),
      ),
    ].join('\n');
  });
}
