export type { ArtifactDraft, ArtifactStore, Content, StoredArtifact } from './artifact-store.js';
export type { FileFacts } from './files-digest.js';
export { importAdapter } from './import-adapter.js';
export { type ExpectedAdapter, type InspectedAdapter, inspectAdapter } from './inspect-adapter.js';
export { createLocalStore } from './local-store.js';
