import type { EventBody, EventVersion } from './event.js';

/** An event as one line for people, with the characters escaped that Slack gives a meaning. */
export function slackText(event: EventBody): string {
  return headline(event).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function headline({ type, model, sandbox, route, change, cycle, operator }: EventBody): string {
  const name = `${model}${sandbox ? ' (sandbox)' : ''}`;
  const by = change === null ? '' : ` by ${change.actor}${change.forced ? ' (forced)' : ''}: ${change.reason}`;
  const before =
    change?.champion_before === null || change === null ? '' : `, before it version ${change.champion_before}`;
  switch (type) {
    case 'promoted':
      return `${name}: ${named(route.champion)} was promoted${before}${by}; epoch ${route.epoch}`;
    case 'rolled_back':
      return `${name}: rolled back to ${named(route.champion)}${before}${by}; epoch ${route.epoch}`;
    case 'rejected':
      return `${name}: ${named(cycle?.candidate ?? null)} was rejected: ${cycle?.reason}`;
    case 'needs_operator':
      return `${name}: needs an operator. Step ${operator?.step} is parked: ${operator?.problem}`;
    case 'cycle_ended':
      return `${name}: the cycle ended as ${cycle?.outcome}: ${cycle?.reason}; ${named(route.champion)} is champion`;
    default:
      return `${name}: ${change?.action ?? type}${by}; epoch ${route.epoch}`;
  }
}

function named(version: EventVersion | null): string {
  return version === null ? 'a candidate' : `version ${version.version} (${version.label})`;
}
