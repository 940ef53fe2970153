import type { Db } from '../db/index.js';
import { WATCH } from './stop-experiment.js';

/** What a cycle is told when the watch loop ended its experiment. Ids and numbers, never a text of a conversation. */
export interface Halt {
  experiment: string;
  /** What the route change carries: counts, interval, boundary, reason, and a summary of at most 200 characters. */
  evidence: Record<string, unknown>;
}

/**
 * The halts whose cycles have not ended yet. Read from what is stored and from nothing else, so that a halt is sent also
 * when the process that stopped the experiment died before it could tell, or Temporal was down for days.
 */
export async function readPendingHalts(db: Db): Promise<{ workflowId: string; halt: Halt }[]> {
  const { rows } = await db.pool.query<{ workflow_id: string; experiment: string; evidence: Record<string, unknown> }>(
    `SELECT c.workflow_id, e.id AS experiment, r.evidence
       FROM cycles c
       JOIN experiments e ON e.cycle_id = c.id AND e.ended_at IS NOT NULL
       JOIN route_changes r ON r.cycle_id = c.id AND r.actor = $1 AND r.before->>'experimentId' = e.id::text
      WHERE c.ended_at IS NULL
      ORDER BY r.id`,
    [WATCH],
  );
  return rows.map(({ workflow_id, experiment, evidence }) => ({
    workflowId: workflow_id,
    halt: { experiment, evidence },
  }));
}
