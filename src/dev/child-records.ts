import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { endGroups, type GroupRecord, identify, isRunning, type ProcessIdentity } from '#setup/processes.mjs';

/** Environment variable that every supervised process carries; its value is the supervisor's id. */
export const SUPERVISOR_MARK = 'UNDERSTUDY_SUPERVISOR';

export interface ChildRecord extends GroupRecord {
  name: string;
}

interface StateFile {
  supervisor: string;
  owner: ProcessIdentity;
  children: ChildRecord[];
}

const PREFIX = 'processes-';

function readState(file: string): StateFile | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as StateFile;
  } catch {
    // Files appear whole (written aside, then renamed), so what cannot be read belongs to nobody.
    return undefined;
  }
}

/**
 * The list of children that one supervisor has running, kept in a file so that the next start can end them when both
 * the supervisor and its guardian were killed.
 */
export class ChildRecords {
  readonly supervisor = randomUUID();
  private readonly file: string;
  private children: ChildRecord[] = [];

  constructor(stateDir: string) {
    fs.mkdirSync(stateDir, { recursive: true });
    this.file = path.join(stateDir, `${PREFIX}${this.supervisor}.json`);
    this.write();
  }

  add(record: ChildRecord): void {
    this.children.push(record);
    this.write();
  }

  remove(pid: number): void {
    this.children = this.children.filter((record) => record.pid !== pid);
    this.write();
  }

  /** Forgets everything: all children were ended. */
  delete(): void {
    fs.rmSync(this.file, { force: true });
  }

  private write(): void {
    const state: StateFile = { supervisor: this.supervisor, owner: identify(process.pid), children: this.children };
    const draft = `${this.file}.draft`;
    fs.writeFileSync(draft, JSON.stringify(state), { mode: 0o600 });
    fs.renameSync(draft, this.file);
  }
}

/**
 * Ends what supervisors that no longer run have left behind. A child is ended only when a process with its id and its
 * start time is there; a supervisor that still runs keeps its children.
 *
 * @returns the names of the children that were still running
 */
export async function endLeftovers(stateDir: string): Promise<string[]> {
  if (!fs.existsSync(stateDir)) return [];
  const ended: string[] = [];
  for (const name of fs.readdirSync(stateDir)) {
    if (!name.startsWith(PREFIX) || !name.endsWith('.json')) continue;
    const file = path.join(stateDir, name);
    const state = readState(file);
    if (state && isRunning(state.owner)) continue;
    if (state) {
      ended.push(...state.children.filter((child) => isRunning(child)).map((child) => child.name));
      await endGroups(state.children, { mark: { name: SUPERVISOR_MARK, value: state.supervisor } });
    }
    fs.rmSync(file, { force: true });
  }
  return ended;
}
