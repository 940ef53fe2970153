export function parseVersion(text: string | undefined): number[] | undefined;
export function isAtLeast(version: readonly number[] | undefined, minimum: readonly number[]): boolean;
export function freeBytes(folder: string): number;
