export const ROOT: string;
export const TEMPORAL_CLI_VERSION: string;
export const TEST_SERVER_VERSION: string;
export class MissingToolError extends Error {}
export function cacheDir(): string;
export function onPath(name: string): string | undefined;
export function cachedTemporalCli(): string;
export function findTemporalCli(): string | undefined;
export function temporalCliPath(): string;
export function cachedTestServer(): string;
export function testServerPath(): string;
export function trainerDir(): string;
export function pythonLocks(): { run: string; test: string };
export function pythonEnvironmentDir(): string;
export function pythonTestLibraryDir(): string;
export function pythonIn(folder: string): string;
export function isCompletePython(folder: string): boolean;
export function trainerPython(): string;
