import { createHash, randomUUID } from 'node:crypto';
import type { Db } from '../../src/db/index.js';
import {
  type CapturedInteraction,
  newId,
  recordExposures,
  storeCaptured,
  storeFeedback,
} from '../../src/interactions/index.js';
import type { LiveExperiment } from './start-experiments.js';

/**
 * Stores `count` interactions, in turn of the experiments, as the gateway does, and feedback to every sixth, as an app does.
 * Half of them are of subjects that were there from the beginning, half of new ones.
 */
export async function arrive(db: Db, experiments: readonly LiveExperiment[], count: number): Promise<void> {
  const askedAt = new Date();
  const rows = Array.from({ length: count }, (_, n): CapturedInteraction => {
    const { id: experimentId, model } = experiments[n % experiments.length]!;
    const turn = Math.floor(n / experiments.length);
    // As load-experiments names them; number 0 is in the second arm.
    const subject = createHash('sha256')
      .update(turn % 2 === 0 ? `${model}${10 * turn + 1}` : randomUUID())
      .digest('hex');
    return {
      ...{
        id: newId(askedAt),
        model,
        askedAt,
        subject,
        session: null,
        experimentId,
        arm: 'champion',
        assignedVersion: 1,
      },
      ...{ version: 1, status: 'complete', request: { messages: [] }, latencyMs: 50, tags: {} },
      response: { choices: [{ index: 0, message: { role: 'assistant', content: 'an answer' } }] },
    };
  });
  await recordExposures(
    db,
    rows.map(({ experimentId, subject }) => ({
      ...{ experimentId: experimentId!, subject: subject!, arm: 'champion' as const, version: 1, exposedAt: askedAt },
    })),
  );
  for (let first = 0; first < count; first += 1_000) {
    const batch = rows.slice(first, first + 1_000);
    await storeCaptured(db, batch);
    await storeFeedback(
      db,
      batch.filter((_, n) => n % 6 === 0).map(({ id }) => ({ interaction: id, kind: 'thumbs', value: 1 })),
    );
  }
}
