export function filesBelow(folder: string, keep?: (file: string) => boolean): string[];
export function hashFiles(files: readonly string[], salt?: string): string;
export function moduleGraph(entries: readonly string[]): string[];
export function hashModuleGraph(entries: readonly string[], further?: readonly string[]): string;
