import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { decodeLine, encodeLine } from './spool-line.js';

export interface SpoolOptions {
  /** Servers may share it: each writes in a folder of its own below it. */
  folder: string;
  /** This server keeps no more than this. */
  maxBytes: number;
  segmentBytes?: number;
  /** A server whose sign of life is older is taken for dead, and what it left is taken over. */
  deadAfterMs?: number;
}

export interface SpoolBatch {
  texts: string[];
  /** Lines that were not written whole. */
  torn: number;
  /** To be called after COMMIT: forgets the batch, and deletes its segment once all of it was taken. */
  done(): void;
}

export interface Spool {
  /** False when there is no room or the disk refuses; then nothing was kept. */
  append(text: string): boolean;
  /** The oldest lines that are not done; undefined when there are none. */
  next(limit: number): SpoolBatch | undefined;
  /** Bytes of files that are not done. */
  bytes(): number;
  /** Leaves what is not done to the next server. */
  close(): void;
}

interface Segment {
  file: string;
  bytes: number;
  offset: number;
}

const SIGN_OF_LIFE = 'alive';
const BEAT_MS = 1_000;

/**
 * Append-only segment files, readable by their owner only. A line is handed to the system when `append` returns, so it
 * outlives the process; it is on the disk within a second, so the machine may lose the last second. Appending is
 * synchronous: a few microseconds, and only while Postgres does not keep up.
 * Throws when the folder cannot be made.
 */
export function openSpool(options: SpoolOptions): Spool {
  const { folder, maxBytes, segmentBytes = 8 * 1_024 * 1_024, deadAfterMs = 10_000 } = options;
  const own = path.join(folder, randomUUID());
  const alive = path.join(own, SIGN_OF_LIFE);
  fs.mkdirSync(own, { recursive: true, mode: 0o700 });
  let segments: Segment[] = [];
  let active: (Segment & { fd: number }) | undefined;
  let made = 0;
  let beatAt = Number.NEGATIVE_INFINITY;

  const bytes = () => segments.reduce((sum, segment) => sum + segment.bytes, 0);

  function rotate(): void {
    if (active === undefined) return;
    fs.closeSync(active.fd);
    active = undefined;
  }

  function beat(): void {
    // After a long pause another server may have taken our files for those of a dead one: they are its own now.
    if (performance.now() - beatAt > deadAfterMs / 2 && segments.some(({ file }) => !fs.existsSync(file))) {
      rotate();
      segments = segments.filter(({ file }) => fs.existsSync(file));
    }
    fs.mkdirSync(own, { recursive: true, mode: 0o700 });
    fs.writeFileSync(alive, '', { mode: 0o600 });
    beatAt = performance.now();
  }

  /** Moves the segments of dead servers here. A rename has one winner, however many servers try. */
  function adopt(): void {
    for (const name of fs.readdirSync(folder)) {
      const other = path.join(folder, name);
      if (other === own) continue;
      try {
        const sign = fs.statSync(path.join(other, SIGN_OF_LIFE), { throwIfNoEntry: false }) ?? fs.statSync(other);
        if (Date.now() - sign.mtimeMs < deadAfterMs) continue;
        for (const segment of fs.readdirSync(other).filter((entry) => entry.endsWith('.spool'))) {
          const file = path.join(own, segment);
          fs.renameSync(path.join(other, segment), file);
          segments.push({ file, bytes: fs.statSync(file).size, offset: 0 });
        }
        fs.rmSync(path.join(other, SIGN_OF_LIFE), { force: true });
        fs.rmdirSync(other);
      } catch {
        // Another server was faster, or it is no folder of ours.
      }
    }
    // Names begin with the time: oldest first, whoever wrote it.
    segments.sort((a, b) => (path.basename(a.file) < path.basename(b.file) ? -1 : 1));
  }

  function openSegment(): Segment & { fd: number } {
    const time = String(Date.now()).padStart(15, '0');
    const file = path.join(own, `${time}-${String(made++).padStart(9, '0')}-${path.basename(own)}.spool`);
    const segment = { file, bytes: 0, offset: 0, fd: fs.openSync(file, 'ax', 0o600) };
    segments.push(segment);
    return segment;
  }

  function forget(segment: Segment): void {
    if (segment === active) rotate();
    fs.rmSync(segment.file, { force: true });
    segments = segments.filter((other) => other !== segment);
  }

  beat();
  adopt();
  const timer = setInterval(() => {
    try {
      beat();
      adopt();
      if (active !== undefined) fs.fdatasync(active.fd, () => undefined);
    } catch {
      // The disk is away; append says so where it matters.
    }
  }, BEAT_MS);
  timer.unref();

  return {
    append(text) {
      const line = encodeLine(text);
      if (bytes() + line.length > maxBytes) return false;
      try {
        if (performance.now() - beatAt > deadAfterMs / 2) beat();
        if (active !== undefined && active.bytes >= segmentBytes) rotate();
        active ??= openSegment();
        const written = fs.writeSync(active.fd, line);
        active.bytes += written;
        if (written === line.length) return true;
      } catch {
        // As below.
      }
      // The disk is full: what is torn ends its segment, so that the next line begins on its own.
      rotate();
      return false;
    },
    next(limit) {
      for (let segment = segments[0]; segment !== undefined; segment = segments[0]) {
        const batch = read(segment, limit);
        if (batch === undefined) forget(segment);
        else {
          const { texts, torn, end } = batch;
          const taken = segment;
          return {
            texts,
            torn,
            done() {
              taken.offset = end;
              if (end >= taken.bytes) forget(taken);
            },
          };
        }
      }
      return undefined;
    },
    bytes,
    close() {
      clearInterval(timer);
      rotate();
      try {
        if (segments.length === 0) return fs.rmSync(own, { recursive: true, force: true });
        // No sign of life, and a folder of long ago: free to be taken over at once.
        fs.rmSync(alive, { force: true });
        fs.utimesSync(own, 0, 0);
      } catch {
        // Whoever comes next waits for the sign of life to grow old.
      }
    },
  };
}

/** Lines from the segment's offset on; undefined when there are none or the file is gone. */
function read(segment: Segment, limit: number): { texts: string[]; torn: number; end: number } | undefined {
  let content: Buffer;
  try {
    content = fs.readFileSync(segment.file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const texts: string[] = [];
  let torn = 0;
  let end = segment.offset;
  while (end < content.length && texts.length + torn < limit) {
    const found = content.indexOf(0x0a, end);
    const stop = found === -1 ? content.length : found;
    const text = decodeLine(content.subarray(end, stop));
    if (text === undefined) torn += 1;
    else texts.push(text);
    end = Math.min(content.length, stop + 1);
  }
  return end === segment.offset ? undefined : { texts, torn, end };
}
