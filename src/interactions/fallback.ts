/** Tag of a request that the champion answered because the version of its arm could not. */
export const FALLBACK_TAG = 'understudy.fallback';

/**
 * SQL predicate over `interactions` (alias `i`), never null: the request counts as a failure of the arm it was assigned
 * to. The arm's version failed, whether or not the champion could answer in its place, or the client went away before it
 * answered: alike in both arms, unless one of them keeps people waiting. Not a failure of the arm: a champion that
 * answered because the route had expired at a gateway cut off from Postgres.
 */
export const FAILED_IN_ARM_SQL = `(i.status <> 'complete' OR i.tags @> '{"${FALLBACK_TAG}": "true"}')`;
