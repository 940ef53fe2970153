export function withLock<T>(
  file: string,
  work: () => Promise<T>,
  options?: { onWait?: (owner: { pid: number }) => void; signal?: AbortSignal; pollMs?: number },
): Promise<T>;
