import type { Policy } from '../policy/index.js';

/** `mirror_added` is for a registry that was just named in the policy and knows nothing yet. */
export type EventKind = Policy['mirrors']['webhooks'][number]['events'][number] | 'mirror_added';

/** A version as a receiver needs it: what to ask for, on which base, made from what. */
export interface EventVersion {
  version: number;
  label: string;
  kind: string;
  state: string;
  served_as: string;
  base_model: string;
  dataset_digest: string | null;
  policy_digest: string | null;
}

/** What is sent. Ids, numbers and reasons; never a text of a conversation. */
export interface EventBody {
  /** The same at every attempt. */
  id: string;
  type: EventKind;
  model: string;
  sandbox: boolean;
  at: string;
  /** Where the route stood after it. A receiver that has seen a later epoch may ignore an event. */
  route: {
    epoch: number;
    champion: EventVersion;
    previous: EventVersion | null;
    challenger: EventVersion | null;
    share: number | null;
    experiment: string | null;
  };
  change: {
    action: string;
    actor: string;
    reason: string;
    forced: boolean;
    champion_before: number | null;
    evidence: unknown;
  } | null;
  cycle: {
    id: string;
    outcome: string | null;
    reason: string | null;
    candidate: EventVersion | null;
    started_at: string;
    ended_at: string | null;
  } | null;
  operator: { workflow: string; step: string; problem: string; since: string } | null;
}

/** The mirrors of a policy by name, with what each is told. */
export function mirrorsOf({ mirrors }: Policy): Map<string, (kind: EventKind) => boolean> {
  const found = new Map<string, (kind: EventKind) => boolean>();
  for (const { name, events } of mirrors.webhooks) {
    found.set(name, (kind) => (events as readonly EventKind[]).includes(kind));
  }
  if (mirrors.mlflow !== null) found.set('mlflow', () => true);
  return found;
}
