export { type FrozenDataset, freezeDataset } from './freeze-dataset.js';
export type { Manifest } from './manifest.js';
export { orphanDataset } from './orphan-dataset.js';
