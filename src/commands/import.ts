import { readCliConfig } from '../config.js';
import type { FormatName } from '../formats/index.js';
import { type ImportListener, type ImportRequest, type ImportResult, runImport } from '../importing/index.js';
import { instant } from './instant.js';
import { onInterrupt } from './on-interrupt.js';
import { show } from './output.js';
import { startProgress } from './progress-bar.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

interface ImportOptions {
  format?: FormatName | 'sqlite';
  model?: string;
  at?: string;
  thumbs?: string[];
  rejects?: string;
  dryRun?: boolean;
  restart?: boolean;
  connections?: string;
  json?: boolean;
}

/**
 * Imports a file of interactions, see `runImport`. Refused lines are counted and written to a file of rejects with their
 * number and reason, without text. Exit code 1 when a line was refused, 130 when Ctrl-C stopped it.
 */
export async function importFile(file: string, options: ImportOptions): Promise<void> {
  const interrupt = onInterrupt('stopping after what is under way; Ctrl-C again stops at once');
  const connections = options.connections === undefined ? 4 : wholeNumber('--connections', options.connections);
  const request: ImportRequest = {
    file,
    ...(options.format && { format: options.format }),
    ...(options.model && { model: options.model }),
    ...(options.at && { at: instant('--at', options.at) }),
    ...(options.thumbs && { thumbs: options.thumbs }),
    ...(options.rejects && { rejects: options.rejects }),
    restart: options.restart ?? false,
    connections,
    signal: interrupt.signal,
  };
  const started = Date.now();
  let progress: { stop(): void } | undefined;
  const listener: ImportListener = {
    opened({ format, detected, resumedAfter }) {
      if (detected && format !== 'records') tell(`Format: ${format}, by the look of it; --format says otherwise.`);
      if (resumedAfter > 0) tell(`Goes on after line ${resumedAfter}, where an earlier import was interrupted.`);
    },
    progress(read) {
      progress = startProgress('lines', () => {
        const { lines, share } = read();
        return { done: lines, share };
      });
    },
  };
  try {
    const result = options.dryRun
      ? await runImport(undefined, request, listener)
      : await withDb(
          (db) => runImport({ db, subjectKey: readCliConfig().subjectKey() }, request, listener),
          connections + 1,
        );
    progress?.stop();
    summarize(result, options, (Date.now() - started) / 1_000);
  } finally {
    progress?.stop();
    interrupt.stop();
  }
}

function summarize(result: ImportResult, options: ImportOptions, seconds: number): void {
  const { counts, first_problem: problem, interrupted, rejects } = result;
  const refused = counts.conflict + counts.invalid;
  const summary = {
    format: result.format,
    ...counts,
    resumed_after: result.resumed_after,
    interrupted,
    dry_run: options.dryRun ?? false,
    seconds,
    first_problem: problem === null ? null : `line ${problem.line}: ${problem.reason}`,
    rejects,
  };
  show(options.json ?? false, summary, () => {
    const stored = options.dryRun
      ? `${counts.valid} valid`
      : `${counts.stored} stored, ${counts.duplicate} already there`;
    const lines = [
      `${counts.lines} lines: ${stored}, ${refused} refused${counts.ignored > 0 ? `, ${counts.ignored} ignored` : ''}.`,
    ];
    if (counts.stored_feedback > 0) lines.push(`Of those stored, ${counts.stored_feedback} are feedback.`);
    if (options.dryRun) lines.push('Dry run: nothing was stored.');
    if (summary.first_problem !== null)
      lines.push(`First refused: ${summary.first_problem}. All: ${rejects ?? '--rejects FILE'}`);
    if (interrupted) lines.push('Interrupted: the same command goes on from here.');
    return lines.join('\n');
  });
  if (interrupted) process.exitCode = 130;
  else if (refused > 0) process.exitCode = 1;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
