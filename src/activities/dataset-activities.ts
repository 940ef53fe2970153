import { collect } from '../curation/index.js';
import { freezeDataset, orphanDataset } from '../datasets/index.js';
import type { ActivityDeps } from './activity-deps.js';
import type { Activities } from './contract.js';
import { heartbeat } from './in-activity.js';

type DatasetActivities = Pick<Activities, 'collect' | 'curate' | 'orphanDataset'>;

/** What a cycle may learn from: counted, curated and frozen. */
export function datasetActivities({ db, store }: ActivityDeps): DatasetActivities {
  const onProgress = (rows: number) => heartbeat({ rows });
  return {
    collect: ({ cycleId, asOf }) => collect(db, { cycleId, asOf: new Date(asOf), onProgress }),
    curate: ({ cycleId, asOf }) => freezeDataset(db, store, { cycleId, asOf: new Date(asOf), onProgress }),
    orphanDataset: (input) => orphanDataset(db, input),
  };
}
