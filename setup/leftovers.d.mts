export function leftovers(
  run: string,
  folder: string,
  patienceMs?: number,
): Promise<{ passed: number; failed: number }>;
