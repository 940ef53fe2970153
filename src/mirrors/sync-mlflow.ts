import type { Db } from '../db/index.js';
import type { Policy } from '../policy/index.js';
import { createMlflowClient, type ModelVersion, type Tags } from './mlflow-client.js';
import type { Secrets } from './send-webhook.js';

/** Tag by which a version of ours is found again: MLflow counts its own. */
const NUMBER = 'understudy.version';
const ALIASES = ['champion', 'previous', 'challenger'] as const;

/**
 * Makes a registered model of MLflow what our registry and route are now: a version for each of ours, with its lineage as
 * tags, and the aliases champion, previous and challenger. What is right already is left alone, so that doing it again
 * changes nothing; aliases, tags and versions that are not ours are not touched.
 */
export async function syncMlflow(
  { prisma }: Pick<Db, 'prisma'>,
  { name: model, sandbox, mirrors }: Policy,
  { secrets, signal }: { secrets: Secrets; signal?: AbortSignal },
): Promise<void> {
  const { url, authorization, registered_model } = mirrors.mlflow!;
  const client = createMlflowClient(url, secrets(authorization), signal);
  const name = registered_model ?? model;
  const route = await prisma.route.findUniqueOrThrow({ where: { model } });
  const wanted = {
    'understudy.model': model,
    'understudy.sandbox': String(sandbox),
    'understudy.epoch': String(route.epoch),
  };
  let there = await client.model(name);
  if (there === null) {
    await client.createModel(name, `Mirror of ${model}, kept by Understudy`, wanted);
    there = (await client.model(name))!;
  }

  const numbers = new Map<number, string>();
  const known = byNumber(await client.versions(name));
  for (const { version, source, tags } of await ourVersions(prisma, model)) {
    const found = known.get(version);
    if (found === undefined) {
      numbers.set(version, await client.createVersion(name, source, `${model}@${version}`, tags));
      continue;
    }
    numbers.set(version, found.version);
    const present = new Map(found.tags.map(({ key, value }) => [key, value]));
    for (const [key, value] of Object.entries(tags)) {
      if (present.get(key) !== value) await client.setVersionTag(name, found.version, key, value);
    }
  }

  const aliases = new Map(there.aliases.map(({ alias, version }) => [alias, version]));
  for (const alias of ALIASES) {
    const version = route[alias] === null ? undefined : numbers.get(route[alias]);
    if (version === undefined) {
      if (aliases.has(alias)) await client.deleteAlias(name, alias);
    } else if (aliases.get(alias) !== version) await client.setAlias(name, alias, version);
  }
  // Last: whoever sees the epoch sees the aliases that belong to it.
  const present = new Map(there.tags.map(({ key, value }) => [key, value]));
  for (const [key, value] of Object.entries(wanted)) {
    if (present.get(key) !== value) await client.setModelTag(name, key, value);
  }
}

/** Of two with the same tag, the older one: a second can only have been made by somebody else. */
function byNumber(versions: readonly ModelVersion[]): Map<number, ModelVersion> {
  const found = new Map<number, ModelVersion>();
  for (const row of versions.toSorted((a, b) => Number(a.version) - Number(b.version))) {
    const number = Number(row.tags.find(({ key }) => key === NUMBER)?.value ?? Number.NaN);
    if (Number.isInteger(number) && !found.has(number)) found.set(number, row);
  }
  return found;
}

async function ourVersions(
  prisma: Db['prisma'],
  model: string,
): Promise<{ version: number; source: string; tags: Tags }[]> {
  const rows = await prisma.version.findMany({ where: { model }, orderBy: { version: 'asc' } });
  const cycles = await prisma.cycle.findMany({ where: { id: { in: rows.flatMap(({ cycleId }) => cycleId ?? []) } } });
  const datasets = await prisma.dataset.findMany({
    where: { id: { in: rows.flatMap(({ datasetId }) => datasetId ?? []) } },
  });
  return rows.map((row) => {
    const cycle = cycles.find(({ id }) => id === row.cycleId);
    const lineage: Record<string, string | number | null | undefined> = {
      version: row.version,
      label: row.label,
      kind: row.kind,
      state: row.state,
      served_as: row.servedAs,
      base_model: row.baseModel,
      adapter_sha256: row.adapterSha256,
      adapter_dropped: row.adapterDroppedAt === null ? 'false' : 'true',
      dataset_digest: datasets.find(({ id }) => id === row.datasetId)?.digest,
      policy_digest: cycle?.policyDigest,
      cycle: cycle?.id,
      champion_before: cycle?.championBefore,
      outcome: cycle?.outcome,
      sandbox: String(row.sandbox),
    };
    const tags = Object.entries(lineage)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([key, value]) => [`understudy.${key}`, String(value)]);
    return {
      version: row.version,
      source: row.adapterUri ?? `understudy:${model}/${row.version}`,
      tags: Object.fromEntries(tags) as Tags,
    };
  });
}
