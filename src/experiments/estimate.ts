import { stagewiseEstimate } from '../stats/index.js';
import { bringsNews } from './boundary.js';
import type { LookEstimate, LookFigures, LookInput, PastLook } from './look.js';

/**
 * What a group-sequential experiment found, at the look at which it ended: corrected for the earlier looks, at which it
 * would have stopped had it been luckier. A look without new information changes nothing about the last tested one. Null
 * under `fixed`, whose one look needs no correction, and where nothing could be tested.
 */
export function estimateAtEnd(
  { settings, past = [] }: Pick<LookInput, 'settings' | 'past'>,
  { z, information }: Pick<LookFigures, 'z' | 'information'>,
): LookEstimate | null {
  if (settings.test === 'fixed') return null;
  const gained = bringsNews(past, information);
  const final = gained ? { information, z } : past.at(-1);
  if (final === undefined) return null;
  const { p, median, interval } = stagewiseEstimate(
    {
      past: past.slice(0, gained ? past.length : -1).map((look) => stopOf(look, settings.minEffect)),
      final: { information: final.information, z: final.z },
    },
    1 - settings.alpha,
  );
  return { p, median, interval };
}

/** Where a look would have stopped: past its boundary, and with a difference that is large enough. */
function stopOf({ information, c }: PastLook, minEffect: number): { information: number; upper: number } {
  return {
    information,
    upper: c === null ? Number.POSITIVE_INFINITY : Math.max(c, minEffect * Math.sqrt(information)),
  };
}
