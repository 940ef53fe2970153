import type { PromoteMessage } from '../temporal/workflow-types.js';

/** A promotion that everybody asked for who has to. */
export interface Approval extends PromoteMessage {
  /** Who, and why; one for each. */
  by: { actor: string; reason: string }[];
}

/** The people who ask for a promotion: one, or under the two-person rule two different ones. */
export class Approvals {
  /** `promotion.approvals` of the policy. */
  needed = 1;
  /** Who has asked so far. */
  readonly actors: string[] = [];
  #given: PromoteMessage[] = [];

  /** What stands in the way of what was asked for so far. */
  get missing(): string {
    return `${this.actors.length} of ${this.needed} approvals; somebody else has to promote it, too`;
  }

  /** Why this one does not count; null when it does. Who somebody is says the program that saw their key, where there was one. */
  whyNot({ actor, identity = actor }: PromoteMessage): string | null {
    const again = this.#given.some((earlier) => (earlier.identity ?? earlier.actor) === identity);
    return again ? `${actor} has approved already; somebody else has to promote it, too`.slice(0, 200) : null;
  }

  /** Adds one; answers the promotion once there are enough. It is forced only when all of them said so. */
  add(message: PromoteMessage): Approval | null {
    this.#given.push(message);
    this.actors.push(message.actor);
    if (this.#given.length < this.needed) return null;
    const by = this.#given.map(({ actor, reason }) => ({ actor, reason }));
    const actor = by
      .map((one) => one.actor)
      .join(' and ')
      .slice(0, 200);
    const force = this.#given.every((one) => one.force === true);
    return { ...message, actor, force, by };
  }

  forget(): void {
    this.#given = [];
    this.actors.length = 0;
  }
}
