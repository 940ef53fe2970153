import { z } from 'zod';

const jobs = z.object({ data: z.array(z.object({ id: z.string(), status: z.string() })) });
const models = z.object({ data: z.array(z.object({ id: z.string(), parent: z.string().nullish() })) });

/** What trainer and adapter server say they still hold, by their own APIs. */
export interface LeftBehind {
  /** Jobs that have not ended. */
  runningJobs: string[];
  /** All jobs there ever were. */
  jobs: string[];
  /** Adapters loaded, without the base. */
  adapters: string[];
}

/** Asks trainer and adapter server what is running and loaded. */
export async function askWhatIsLeft(trainerUrl: string, adapterServerUrl: string): Promise<LeftBehind> {
  const all = jobs.parse(await get(`${trainerUrl}/v1/fine_tuning/jobs?limit=100`)).data;
  const ended = new Set(['succeeded', 'failed', 'cancelled']);
  const served = models.parse(await get(`${adapterServerUrl}/v1/models`)).data;
  return {
    jobs: all.map(({ id }) => id),
    runningJobs: all.filter(({ status }) => !ended.has(status)).map(({ id }) => id),
    adapters: served.filter(({ parent }) => parent !== null && parent !== undefined).map(({ id }) => id),
  };
}

/**
 * What should not be there after a cycle: running jobs, and adapters other than those the route uses.
 * @param used names under which the route's versions are served
 */
export function leftovers(left: LeftBehind, used: readonly string[]): string[] {
  return [
    ...left.runningJobs.map((id) => `training job ${id} still runs`),
    ...left.adapters.filter((name) => !used.includes(name)).map((name) => `adapter ${name} is still loaded`),
    ...used.filter((name) => !left.adapters.includes(name)).map((name) => `adapter ${name} is not loaded`),
  ];
}

async function get(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`);
  return response.json();
}
