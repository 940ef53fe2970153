/** The one row that says who answers for a model. Read everywhere, moved only by `changeRoute`. */
export interface Route {
  model: string;
  /** Counts the changes; a change names the epoch it starts from. */
  epoch: number;
  champion: number;
  previous: number | null;
  /** The second arm: the challenger of an A/B test, or in a bake the previous champion as holdback. */
  challenger: number | null;
  /** Share of subjects on the second arm, in (0, 0.5]. */
  share: number | null;
  experimentId: string | null;
  /** How long a gateway may use this route without having read it again, in milliseconds. */
  validForMs: number;
  /** When the newest change was a promotion; null after any other. */
  promotedAt: Date | null;
}

/** Where a change leads. Challenger, share and experiment come together or not at all. */
export interface NextRoute {
  champion: number;
  previous: number | null;
  challenger: number | null;
  share: number | null;
  experimentId: string | null;
}

export type RouteAction =
  | 'create'
  | 'start_experiment'
  /** A bandit moved its share. */
  | 'reallocate'
  | 'extend_experiment'
  | 'end_experiment'
  | 'promote'
  | 'end_bake'
  | 'rollback'
  | 'harm_stop';
