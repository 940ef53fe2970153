/** How often an experiment may be looked at after its first look: each look is a step in the history of the cycle. */
const MOST_LOOKS = 20;

/** The same for a cycle that has more in its history than looks. */
export function mostLooks({ shadowFirst, manual }: { shadowFirst: boolean; manual: boolean }): number {
  return MOST_LOOKS - (shadowFirst ? 2 : 0) - (manual ? 1 : 0);
}
