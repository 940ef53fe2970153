// Official downloads: are they reachable, and one file out of an archive.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const PROBE_MS = 3_000;

/** A mirror may stand in for Temporal's own download service. */
function temporalDownloads() {
  return (process.env.UNDERSTUDY_TEMPORAL_DOWNLOADS ?? 'https://temporal.download').replace(/\/+$/, '');
}

/** PyTorch's index of wheels without GPU libraries; a mirror may stand in for it. */
export function torchCpuIndex() {
  return (process.env.UNDERSTUDY_TORCH_INDEX ?? 'https://download.pytorch.org/whl/cpu').replace(/\/+$/, '');
}

/** Does this address answer with a success within 3 s? */
export async function isReachable(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Asks Temporal's download service for an archive of this platform.
 *
 * @param {string} artifact `cli` or `temporal-test-server`
 * @param {string} version `v1.2.3`, or `default`: what fits the SDK
 * @param {string} sdkVersion
 * @returns {Promise<{archiveUrl: string, fileToExtract: string} | undefined>} undefined when it does not answer within 3 s
 *   or has nothing for this platform
 */
export async function officialArchive(artifact, version, sdkVersion) {
  const url = new URL(`${temporalDownloads()}/${artifact}/${version}`);
  url.searchParams.set('platform', process.platform === 'win32' ? 'windows' : process.platform);
  url.searchParams.set('arch', process.arch === 'x64' ? 'amd64' : process.arch);
  if (artifact === 'cli') url.searchParams.set('format', 'tar.gz');
  if (version === 'default') {
    url.searchParams.set('sdk-name', 'sdk-typescript');
    url.searchParams.set('sdk-version', sdkVersion);
  }
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    if (!response.ok) return undefined;
    const { archiveUrl, fileToExtract } = await response.json();
    return typeof archiveUrl === 'string' && typeof fileToExtract === 'string'
      ? { archiveUrl, fileToExtract }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Downloads an archive and puts one file of it at `target`, executable. Its folder is for this alone. */
export async function extractFromArchive({ archiveUrl, fileToExtract }, target, signal) {
  const folder = `${target}.unpacked`;
  const archive = `${target}.archive`;
  fs.mkdirSync(folder);
  const response = await fetch(archiveUrl, { signal });
  if (!response.ok || !response.body) throw new Error(`${archiveUrl} answers ${response.status}`);
  await pipeline(Readable.fromWeb(response.body), fs.createWriteStream(archive), { signal });
  await promisify(execFile)('tar', ['-xf', archive, '-C', folder], { signal });
  const extracted = path.resolve(folder, fileToExtract);
  if (!extracted.startsWith(folder + path.sep)) throw new Error(`${archiveUrl} names a file outside of its archive`);
  fs.chmodSync(extracted, 0o755);
  fs.renameSync(extracted, target);
  fs.rmSync(folder, { recursive: true });
  fs.rmSync(archive);
}
