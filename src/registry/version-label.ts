import { digestOf, type Policy } from '../policy/index.js';

/** What decides what kind of step a version is from the one before it. */
export interface LabelFacts {
  baseModel: string;
  /** The policy it was made under; null for a version that was not made here, or under one that nobody can read any more. */
  policy: Policy | null;
}

type Parts = readonly [major: number, minor: number, patch: number];

/**
 * The semantic label of a new version, from the one before it: another base → next major; another method, other
 * hyper-parameters or another policy of what it is made from → next minor (so is the first one to be made here); nothing
 * but newer data → next patch. Labels of one major number therefore share a base: what was built for one runs on the others.
 *
 * @param before null for the first version of a model
 */
export function nextLabel(before: (LabelFacts & { label: string }) | null, next: LabelFacts): string {
  const parts = before && partsOf(before.label);
  if (before === null || parts === null) return '1.0.0';
  const [major, minor, patch] = parts;
  if (before.baseModel !== next.baseModel) return `${major + 1}.0.0`;
  return makingOf(before.policy) === makingOf(next.policy)
    ? `${major}.${minor}.${patch + 1}`
    : `${major}.${minor + 1}.0`;
}

/** The row with the greatest label, which is the one that a new version steps on from; null when none has one. */
export function latestLabelled<Row extends { label: string }>(rows: readonly Row[]): Row | null {
  return rows.reduce<Row | null>((best, row) => {
    if (partsOf(row.label) === null) return best;
    return best === null || isGreater(partsOf(row.label)!, partsOf(best.label)!) ? row : best;
  }, null);
}

/** Same major number: the same base, so that an adapter, a prompt or a cache for one fits the other. */
export function areCompatible(one: string, other: string): boolean {
  const [first, second] = [partsOf(one), partsOf(other)];
  return first !== null && second !== null && first[0] === second[0];
}

function partsOf(label: string): Parts | null {
  const found = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/.exec(label);
  return found === null ? null : [Number(found[1]), Number(found[2]), Number(found[3])];
}

function isGreater(one: Parts, other: Parts): boolean {
  const at = one.findIndex((part, i) => part !== other[i]);
  return at >= 0 && one[at]! > other[at]!;
}

/**
 * What of a policy decides what comes out of a cycle: trainer, curation, and whether personal data is there to be trained
 * on. Where a trainer is, what it is asked with and how long it may take do not; nor does how the result is tested.
 */
function makingOf(policy: Policy | null): string {
  if (policy === null) return 'not made here';
  const { base_url: _url, api_key: _key, max_duration: _duration, ...trainer } = policy.trainer;
  return digestOf({ trainer, curation: policy.curation, capture: policy.capture });
}
