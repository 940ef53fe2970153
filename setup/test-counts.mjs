// Counts from the reports of the test programs. A program that fails without a failed test counts as one failure: an
// error outside of any test must not look like success.
import fs from 'node:fs';

function withExitCode(counts, code) {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** @param {{passed: number, failed: number, skipped?: number}[]} counts */
export function sum(counts) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of counts) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped ?? 0;
  }
  return total;
}

/** From vitest's JSON report; a file that could not be loaded is one failure. */
export function readVitest(file, code) {
  if (!fs.existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(fs.readFileSync(file, 'utf8'));
  const broken = report.testResults.filter(({ status, assertionResults }) => {
    return status === 'failed' && !assertionResults.some((result) => result.status === 'failed');
  });
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  return withExitCode(counts, code);
}

/** From a JUnit report of pytest. */
export function readJunit(file, code) {
  if (!fs.existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [suite] of fs.readFileSync(file, 'utf8').matchAll(/<testsuite\s[^>]*>/g)) {
    const attribute = (name) => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    const failed = attribute('failures') + attribute('errors');
    counts.failed += failed;
    counts.skipped += attribute('skipped');
    counts.passed += attribute('tests') - failed - attribute('skipped');
  }
  return withExitCode(counts, code);
}
