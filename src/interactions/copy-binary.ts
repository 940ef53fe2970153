import type pg from 'pg';

/** COPY's binary header: signature, no flags, no extension. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** Microseconds from 1970 to 2000, where Postgres begins to count. */
const EPOCH_MS = 946_684_800_000;
/** The longest header of a row and of a field of fixed size. */
const ROOM = 32;
const HEX = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

/**
 * Rows in the binary form of COPY, which neither side has to escape or to parse. One call a field, in the order of the
 * columns; the caller knows their types.
 */
export class BinaryRows {
  #bytes: Buffer;
  #at = HEADER.length;

  /** @param size about how many bytes there will be; it grows */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(1_024, size));
    HEADER.copy(this.#bytes);
  }

  row(fields: number): void {
    this.#reserve(ROOM);
    this.#at = this.#bytes.writeInt16BE(fields, this.#at);
  }

  integer(value: number | null): void {
    if (value === null) {
      this.#null();
      return;
    }
    this.#reserve(ROOM);
    this.#at = this.#bytes.writeInt32BE(4, this.#at);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
  }

  /** @param at in milliseconds of Unix time */
  timestamp(at: number): void {
    this.#reserve(ROOM);
    // In two halves: a BigInt for each row would cost more than the rest of the row.
    const microseconds = (at - EPOCH_MS) * 1_000;
    const high = Math.floor(microseconds / 2 ** 32);
    this.#at = this.#bytes.writeInt32BE(8, this.#at);
    this.#at = this.#bytes.writeInt32BE(high, this.#at);
    this.#at = this.#bytes.writeUInt32BE(microseconds - high * 2 ** 32, this.#at);
  }

  /** @param id 32 hexadecimal digits in lower case, with dashes or without */
  uuid(id: string | null): void {
    if (id === null) {
      this.#null();
      return;
    }
    this.#reserve(ROOM);
    const bytes = this.#bytes;
    let at = bytes.writeInt32BE(16, this.#at);
    for (let i = 0; i < id.length; i++) {
      const high = HEX[id.charCodeAt(i)] ?? -1;
      if (high === -1) continue;
      i += 1;
      bytes[at++] = (high << 4) | (HEX[id.charCodeAt(i)] ?? 0);
    }
    if (at !== this.#at + 20) throw new RangeError('not a UUID');
    this.#at = at;
  }

  text(value: string | null): void {
    if (value === null) {
      this.#null();
      return;
    }
    this.#string(value, false);
  }

  /** @param json a text that jsonb takes */
  json(json: string | null): void {
    if (json === null) {
      this.#null();
      return;
    }
    this.#string(json, true);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(ROOM + value.length);
    this.#at = this.#bytes.writeInt32BE(value.length, this.#at);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Everything, with the mark of the end. */
  end(): Buffer {
    this.#reserve(ROOM);
    return this.#bytes.subarray(0, this.#bytes.writeInt16BE(-1, this.#at));
  }

  #null(): void {
    this.#reserve(ROOM);
    this.#at = this.#bytes.writeInt32BE(-1, this.#at);
  }

  #string(value: string, versioned: boolean): void {
    // A character has three bytes of UTF-8 at most.
    this.#reserve(ROOM + 3 * value.length);
    const start = this.#at + 4;
    let at = start;
    if (versioned) this.#bytes[at++] = 1;
    at += this.#bytes.write(value, at);
    this.#bytes.writeInt32BE(at - start, this.#at);
    this.#at = at;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + bytes));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** What pg gives a query object of ours, beyond its types. */
interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * Sends rows through `COPY … FROM STDIN (FORMAT binary)`. Rejects with the error of Postgres; nothing is stored then.
 *
 * @param sql the statement
 */
export function copyBinary(client: pg.ClientBase, sql: string, rows: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let failed = false;
    const query = {
      submit(connection: CopyConnection) {
        connection.query(sql);
      },
      handleCopyInResponse(connection: CopyConnection) {
        connection.sendCopyFromChunk(rows);
        connection.endCopyFrom();
      },
      handleError(error: Error) {
        failed = true;
        reject(error);
      },
      handleReadyForQuery() {
        if (!failed) resolve();
      },
      handleCommandComplete() {},
    };
    (client as unknown as { query(query: object): void }).query(query);
  });
}
