import { rename, rm } from 'node:fs/promises';
import type { Exported } from '../interactions/index.js';
import { unwritable } from './jsonl-output.js';
import type { Output } from './output.js';

/** Rows of a row group: it is held in memory. */
const GROUP = 5_000;

type Kind = 'text' | 'time' | 'number' | 'json';

/** The columns, named as the fields of an exported record; `json` columns hold JSON text. */
const COLUMNS: readonly (readonly [string, Kind, 'required' | 'optional'])[] = [
  ['id', 'text', 'required'],
  ['external_id', 'text', 'optional'],
  ['timestamp', 'time', 'required'],
  ['model', 'text', 'required'],
  ['subject', 'text', 'optional'],
  ['session', 'text', 'optional'],
  ['request', 'json', 'required'],
  ['response', 'json', 'optional'],
  ['tags', 'json', 'optional'],
  ['feedback', 'json', 'optional'],
  ['version', 'number', 'optional'],
  ['latency_ms', 'number', 'optional'],
  ['experiment', 'text', 'optional'],
  ['arm', 'text', 'optional'],
  ['assigned_version', 'number', 'optional'],
  ['status', 'text', 'required'],
  ['digest', 'text', 'required'],
];

const TYPES = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  json: { type: 'BYTE_ARRAY', converted_type: 'JSON' },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  number: { type: 'INT32' },
} as const;

/** A Parquet file, written a row group at a time. It has its name only when it is whole. */
export async function openParquet(file: string): Promise<Output> {
  const { ParquetWriter, fileWriter } = await import('hyparquet-writer');
  const part = `${file}.part`;
  const failing = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw unwritable(file, error);
    }
  };
  const schema = [
    { name: 'interactions', num_children: COLUMNS.length },
    ...COLUMNS.map(([name, kind, needed]) => ({
      name,
      ...TYPES[kind],
      repetition_type: needed === 'required' ? ('REQUIRED' as const) : ('OPTIONAL' as const),
    })),
  ];
  const writer = failing(() => new ParquetWriter({ writer: fileWriter(part), schema }));
  let held: Exported[] = [];
  const writeGroup = async () => {
    const rows = held;
    held = [];
    if (rows.length === 0) return;
    const columnData = COLUMNS.map(([name, kind]) => ({
      name,
      data: rows.map((row) => cell(row[name], kind)),
      // Least and greatest texts of conversations help nobody and are large.
      statistics: kind !== 'json',
    }));
    await failing(() => writer.write({ columnData, rowGroupSize: GROUP }));
  };
  return {
    async write(records) {
      held.push(...records);
      if (held.length >= GROUP) await writeGroup();
    },
    async finish() {
      await writeGroup();
      await failing(() => writer.finish());
      await rename(part, file);
    },
    async abandon() {
      await rm(part, { force: true });
    },
  };
}

function cell(value: unknown, kind: Kind): unknown {
  if (value === undefined || value === null) return null;
  return kind === 'time' ? new Date(value as string) : value;
}
