import type { Connection } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { UnderstudyError } from '../errors.js';
import { ATTRIBUTES } from './search-attribute-names.js';

/** As the `temporal` command spells the types. */
const CLI_TYPES = { KEYWORD: 'Keyword', DATETIME: 'Datetime', BOOL: 'Bool' } as const;

/** Name → type of every search attribute of the cycles, e.g. `UnderstudyModel` → `Keyword`. */
export const SEARCH_ATTRIBUTE_TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.values(ATTRIBUTES).map(({ name, type }) => [name, CLI_TYPES[type]]),
);

/** The command that registers these search attributes by hand. */
export function searchAttributesCommand(namespace: string, names = Object.keys(SEARCH_ATTRIBUTE_TYPES)): string {
  const flags = names.map((name) => `--name ${name} --type ${SEARCH_ATTRIBUTE_TYPES[name]}`);
  return `temporal operator search-attribute create --namespace ${namespace} ${flags.join(' ')}`;
}

/** Which of them the namespace lacks, or knows under another type. */
export async function missingSearchAttributes(connection: Connection, namespace: string): Promise<string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return Object.values(ATTRIBUTES)
    .filter(({ name, type }) => customAttributes?.[name] !== encodeSearchAttributeIndexedValueType(type))
    .map(({ name }) => name);
}

/**
 * Sees to it that the search attributes of the cycles exist: without them Temporal refuses every start. Registers what is
 * missing; where that is not allowed (Temporal Cloud, a namespace of somebody else), the error has the command.
 * @throws UnderstudyError search_attributes_missing
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  try {
    const missing = await missingSearchAttributes(connection, namespace);
    if (missing.length === 0) return;
    const wanted = Object.values(ATTRIBUTES).filter(({ name }) => missing.includes(name));
    const searchAttributes = Object.fromEntries(
      wanted.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type)!]),
    );
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (error) {
    // Two workers may start at once: what counts is what exists now.
    await untilThere(connection, namespace, error);
    return;
  }
  await untilThere(connection, namespace);
}

/** Registering takes a moment to be seen by every part of the server. */
async function untilThere(connection: Connection, namespace: string, cause?: unknown): Promise<void> {
  let missing: string[] = Object.keys(SEARCH_ATTRIBUTE_TYPES);
  for (let attempt = 0; attempt < 40; attempt += 1) {
    missing = await missingSearchAttributes(connection, namespace).catch(() => missing);
    if (missing.length === 0) return;
    if (cause !== undefined && attempt >= 4) break;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const command = searchAttributesCommand(namespace, missing);
  throw new UnderstudyError('search_attributes_missing', { names: missing.join(', '), command }, { cause });
}
