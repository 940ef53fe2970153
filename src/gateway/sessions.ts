import { crc32 } from 'node:zlib';
import { Recent } from '../recent.js';
import type { Route } from '../routing/index.js';

/** Remembers which version a conversation talks to. */
export interface Sessions {
  /** The version that a conversation talks to, in place of `chosen`; remembers it. */
  versionFor(session: string, route: Route & { expired: boolean }, chosen: number, stickyMs: number): number;
}

/** Conversations remembered, up to twice as many; those that were silent for the longest time are forgotten first. */
const KEPT = 50_000;

/**
 * A conversation that was under way at a promotion stays on its version for `stickyMs` after it: a person in the middle of
 * something does not suddenly talk to another model. Any other change of the route takes it along at once, and so does a
 * route too old to be trusted.
 *
 * @param clock milliseconds since the epoch
 */
export function createSessions(clock: () => number = Date.now, kept = KEPT): Sessions {
  const versions = new Recent<{ version: number; at: number }>({ kept });
  return {
    versionFor(session, route, chosen, stickyMs) {
      const now = clock();
      const known = versions.get(session);
      const stays =
        known !== undefined &&
        route.promotedAt !== null &&
        !route.expired &&
        now < route.promotedAt.getTime() + stickyMs &&
        now < known.at + stickyMs &&
        isServed(route, known.version);
      if (known === undefined) versions.set(session, { version: chosen, at: now });
      else {
        if (!stays) known.version = chosen;
        known.at = now;
      }
      return known?.version ?? chosen;
    },
  };
}

/** Its adapter is kept on the servers as long as the route names it. */
function isServed({ champion, previous, challenger }: Route, version: number): boolean {
  return version === champion || version === previous || version === challenger;
}

/**
 * What tells one conversation from another: what the client calls it, else its first messages up to the first of the user,
 * which stay the same while it goes on. Undefined for a body without them. Only ever in memory.
 *
 * @param named header `x-understudy-session`
 */
export function sessionOf(
  model: string,
  subject: string | null,
  named: string | undefined,
  body: Record<string, unknown>,
): string | undefined {
  const begin = `${model}\0${subject ?? ''}\0`;
  if (named !== undefined) return `${begin}n${named.slice(0, 512)}`;
  if (!Array.isArray(body.messages)) return undefined;
  const messages = body.messages as unknown[];
  const first = messages.findIndex((message) => (message as { role?: unknown } | null)?.role === 'user');
  if (first === -1) return undefined;
  let sum = 0;
  try {
    for (const { role, content } of messages.slice(0, first + 1) as { role?: unknown; content?: unknown }[]) {
      sum = crc32(`${String(role)}\0${typeof content === 'string' ? content : JSON.stringify(content)}\0`, sum);
    }
  } catch {
    // Nested so deep that writing it overflows the stack, or no message.
    return undefined;
  }
  // A checksum will do: it tells the conversations of one subject apart.
  return `${begin}m${sum}`;
}
