// Hashes that tell whether something made from files is still fresh.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** All files below a folder for which `keep(path)` holds, sorted; none when there is no such folder. */
export function filesBelow(folder, keep = () => true) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(file, keep) : entry.isFile() && keep(file) ? [file] : [];
    })
    .sort();
}

/** SHA-256 over names and contents; a file that is missing counts as such. `salt` is hashed along. */
export function hashFiles(files, salt = '') {
  const hash = createHash('sha256').update(salt);
  for (const file of files) {
    hash.update(`\0${file}\0`);
    if (fs.existsSync(file)) hash.update(fs.readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

function resolve(from, specifier) {
  const asked = path.resolve(path.dirname(from), specifier);
  return [asked.replace(/\.js$/, '.ts'), asked].find((file) => fs.existsSync(file)) ?? asked;
}

/** The files that these modules consist of: themselves and, at any depth, what they import by a relative path. */
export function moduleGraph(entries) {
  const seen = new Set(entries);
  for (const file of seen) {
    if (!fs.existsSync(file)) continue;
    for (const [, specifier] of fs.readFileSync(file, 'utf8').matchAll(IMPORT)) seen.add(resolve(file, specifier));
  }
  return [...seen].sort();
}

/** Hash over the modules that the entries consist of, and over further files. */
export function hashModuleGraph(entries, further = []) {
  return hashFiles([...moduleGraph(entries), ...further]);
}
