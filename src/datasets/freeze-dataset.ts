import type { ArtifactStore } from '../artifacts/index.js';
import { curate, datasetIdOf, goldenQuestionKeys } from '../curation/index.js';
import { readCycle } from '../cycles/index.js';
import type { Db } from '../db/index.js';
import { readGoldenSet } from '../evaluation/index.js';
import type { Policy } from '../policy/index.js';
import { DatasetRows } from './dataset-rows.js';
import { DatasetTally, type Manifest } from './manifest.js';
import { splitOf } from './split.js';

export interface FrozenDataset {
  datasetId: string;
  digest: string;
  considered: number;
  kept: number;
  leftOut: Record<string, number>;
  train: number;
  validation: number;
  /** Fewer rows were kept than triggers.min_new_examples, or none to train on; the dataset is then an orphan. */
  tooFew: boolean;
}

/**
 * Curates what the cycle may learn from and freezes it: `train.jsonl`, `validation.jsonl` (when it has rows) and
 * `manifest.json` in the artifact store under the digest of the set, and one `dataset_rows` row for every interaction that
 * was considered. Equal inputs give equal files. All rows appear in one transaction, after the files; a retry finds the
 * frozen dataset, or starts over. `collect` must have run for the cycle.
 */
export async function freezeDataset(
  db: Db,
  store: ArtifactStore,
  { cycleId, asOf, onProgress }: { cycleId: string; asOf: Date; onProgress?: (rows: number) => void },
): Promise<FrozenDataset> {
  const { policy } = await readCycle(db, cycleId);
  const datasetId = datasetIdOf(cycleId);
  const goldenSet =
    policy.evaluation.golden_set === null ? null : await readGoldenSet(store, policy.evaluation.golden_set);
  const goldenQuestions = await goldenQuestionKeys(goldenSet?.rows ?? []);
  const rows = await DatasetRows.begin(db, datasetId);
  const draft = await store.draft('datasets');
  try {
    const stored = await rows.stored();
    if (stored) return describe(datasetId, stored.digest, stored.manifest, policy);

    const tally = new DatasetTally(policy, asOf, goldenSet?.digest ?? null);
    for await (const verdict of curate(db, { policy, asOf, goldenQuestions })) {
      const split = verdict.kept ? splitOf(verdict.row, policy.curation.validation_share) : null;
      tally.count(verdict, split);
      await rows.add(verdict, split);
      if (verdict.kept) {
        const { messages, answer } = verdict.row;
        await draft.append(
          `${split}.jsonl`,
          `${JSON.stringify({ messages: [...messages, { role: 'assistant', content: answer }] })}\n`,
        );
      }
      if (tally.considered % 500 === 0) onProgress?.(tally.considered);
    }
    const manifest = tally.manifest();
    await draft.append('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
    await rows.check(manifest);
    const { uri, digest } = await draft.commit();
    const frozen = describe(datasetId, digest, manifest, policy);
    await rows.commit({ uri, digest, manifest, state: frozen.tooFew ? 'orphaned' : 'frozen' });
    return frozen;
  } finally {
    await draft.discard();
    await rows.end();
  }
}

function describe(datasetId: string, digest: string, manifest: Manifest, policy: Policy): FrozenDataset {
  const { considered, kept, left_out: leftOut, train, validation } = manifest;
  const tooFew = train === 0 || kept < policy.triggers.min_new_examples;
  return { datasetId, digest, considered, kept, leftOut, train, validation, tooFew };
}
