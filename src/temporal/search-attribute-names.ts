import { defineSearchAttributeKey } from '@temporalio/common';

/** What a cycle shows to `temporal workflow list`. They must exist in the namespace before the first start. */
export const ATTRIBUTES = {
  model: defineSearchAttributeKey('UnderstudyModel', 'KEYWORD'),
  phase: defineSearchAttributeKey('UnderstudyPhase', 'KEYWORD'),
  outcome: defineSearchAttributeKey('UnderstudyOutcome', 'KEYWORD'),
  trigger: defineSearchAttributeKey('UnderstudyTrigger', 'KEYWORD'),
  candidate: defineSearchAttributeKey('UnderstudyCandidate', 'KEYWORD'),
  experimentEndsAt: defineSearchAttributeKey('UnderstudyExperimentEndsAt', 'DATETIME'),
  needsOperator: defineSearchAttributeKey('UnderstudyNeedsOperator', 'BOOL'),
} as const;
