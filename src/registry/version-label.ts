import { digestOf, type Policy } from '../policy/index.js';

/** What decides what kind of step a version is from the one before it. */
export interface LabelFacts {
  label: string;
  baseModel: string;
  /** Trainer section it was made with; null for a version that was not trained here. */
  trainer: Policy['trainer'] | null;
}

/**
 * The semantic label of a new version: another base → next major; trained with other settings than the version before (or
 * the first to be trained) → next minor; the same settings on newer data → next patch.
 */
export function nextLabel(before: LabelFacts, next: Omit<LabelFacts, 'label'>): string {
  const [major = 1, minor = 0, patch = 0] = before.label.split('.').map(Number);
  if (before.baseModel !== next.baseModel) return `${major + 1}.0.0`;
  return settingsDigest(before.trainer) === settingsDigest(next.trainer)
    ? `${major}.${minor}.${patch + 1}`
    : `${major}.${minor + 1}.0`;
}

/** Where a trainer is and how long it may take do not change what it makes. */
function settingsDigest(trainer: Policy['trainer'] | null): string {
  if (trainer === null) return 'untrained';
  const { base_url: _url, api_key: _key, max_duration: _duration, ...settings } = trainer;
  return digestOf(settings);
}
