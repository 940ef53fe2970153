/** What the undo list calls its steps, in the order in which they are registered. */
export const ORPHAN_DATASET = 'mark the dataset orphaned';
export const CANCEL_TRAINING = 'cancel the training job';
export const ARCHIVE_VERSION = 'archive the version';
export const UNLOAD_VERSION = 'unload the version';
export const END_SHADOW = 'ask the shadow no more';
export const ROUTE_BACK = 'put the route back';
