export type { ParkedCycle } from './derive-events.js';
export type { EventBody, EventKind, EventVersion } from './event.js';
export { type MirrorLoop, type MirrorPass, startMirrors } from './mirror-loop.js';
export { type MirrorStatus, replayDeliveries, showMirrors } from './show-mirrors.js';
