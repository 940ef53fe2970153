import type { ArtifactStore } from '../artifacts/index.js';
import type { Db } from '../db/index.js';
import type { Secrets } from '../serving/index.js';
import type { TrainingProviders } from '../training/index.js';

/** What activities work on; made once a process. */
export interface ActivityDeps {
  db: Db;
  store: ArtifactStore;
  /** Value of a `${VARIABLE}` a policy refers to; throws `missing_variable`. */
  secrets: Secrets;
  providers: TrainingProviders;
}
