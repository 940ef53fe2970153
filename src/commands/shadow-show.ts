import { showShadow } from '../shadow/index.js';
import { show, table } from './output.js';
import { wholeNumber } from './whole-number.js';
import { withDb } from './with-db.js';

/** What a shadow answered, beside what people got for the same requests. */
export async function shadowShow(model: string, options: { version?: string; json?: boolean }): Promise<void> {
  const version = options.version === undefined ? undefined : wholeNumber('--version', options.version);
  const report = await withDb((db) => showShadow(db, { model, version, asOf: new Date() }));
  show(options.json ?? false, report, () => {
    const { running, shadow, answered } = report;
    if (report.version === null) return `${model} never had a shadow. Give it one with \`understudy shadow start\`.`;
    return [
      running === null
        ? `${model}: version ${report.version} is not a shadow now`
        : `${model}: version ${report.version} answers copies of ${Math.round(running.share * 1000) / 10} % of the requests until ${running.ends_at}`,
      table(
        ['', 'n', 'failed', 'p50 ms', 'p95 ms'],
        [
          ['shadow', report.n, report.failed, rounded(shadow.p50_ms), rounded(shadow.p95_ms)],
          ['people got', answered.n, answered.failed, rounded(answered.p50_ms), rounded(answered.p95_ms)],
        ],
      ),
      'Nobody saw or rated these answers: this is no test, and it never promotes.',
    ].join('\n');
  });
}

function rounded(value: number | null): number | string {
  return value === null ? 'unknown' : Math.round(value);
}
