/** One row of a file: a line of JSONL, an element of a JSON array, a line of CSV or a row of a table. */
export interface Row {
  value: unknown;
  /** The bytes it came from, as text: identical rows have identical texts. */
  text: string;
}

/**
 * What a row says. `record` is unchecked: an interaction record, feedback on its own, or a record as `understudy export`
 * writes it. Rows that belong to the format but are neither are `ignored`; a reason never quotes the row.
 */
export type Item =
  | { kind: 'interaction' | 'exported' | 'feedback'; record: Record<string, unknown> }
  | { kind: 'ignored' }
  | { kind: 'refused'; reason: string };

export interface FormatOptions {
  /** The model to store everything under; without it each row's own, where the format has one. */
  model?: string;
  /** When rows were asked that do not say so themselves. */
  at?: Date;
  /** Names of the scores or metrics that are a thumb up or down of a user. */
  thumbs?: readonly string[];
}

/** Rows to items, in their order: a mapper may remember what earlier rows said. Never throws for what is in a row. */
export type Mapper = (row: Row) => Item[];

/** One kind of log that can be imported. */
export interface Format {
  /** Whether rows of this format name no model of their own, so that one must be given. */
  needsModel: boolean;
  /** Whether its mapper needs to see the rows that an interrupted import has stored already. */
  remembers: boolean;
  /** Whether a row looks like one of this format. */
  recognizes(value: Record<string, unknown>): boolean;
  mapper(options: FormatOptions): Mapper;
}

export function refused(reason: string): Item[] {
  return [{ kind: 'refused', reason }];
}

export const IGNORED: Item[] = [{ kind: 'ignored' }];
