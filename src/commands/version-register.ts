import { createLocalStore, importAdapter } from '../artifacts/index.js';
import { readCliConfig } from '../config.js';
import { UnderstudyError } from '../errors.js';
import { type ExternalSource, registerExternal } from '../registry/index.js';
import { show } from './output.js';
import { withDb } from './with-db.js';

interface Options {
  adapter?: string;
  remote?: string;
  baseModel?: string;
  reason: string;
  actor: string;
  json?: boolean;
}

/** Makes an adapter or a remote model a version, which answers nobody until a cycle has tested it. */
export async function versionRegister(model: string, { reason, actor, json, ...options }: Options): Promise<void> {
  const source = await sourceOf(options);
  const { version, label, servedAs, known } = await withDb((db) =>
    registerExternal(db, { model, source, actor, reason }),
  );
  const unchecked = source.kind === 'remote' ? ' Nobody checks what answers there.' : '';
  show(json ?? false, { model, version, label, kind: source.kind, served_as: servedAs, known }, () =>
    [
      known
        ? `It is ${model}@${version} (${label}) already.`
        : `${model}@${version} (${label}), served as ${servedAs}.${unchecked}`,
      `Test it: understudy cycle start ${model} --candidate ${version}`,
    ].join('\n'),
  );
}

async function sourceOf({ adapter, remote, baseModel }: Omit<Options, 'reason' | 'actor'>): Promise<ExternalSource> {
  if (adapter !== undefined && remote === undefined) {
    const { sha256, ...facts } = await importAdapter(createLocalStore(readCliConfig().artifacts), adapter);
    return { kind: 'adapter', sha256, ...facts };
  }
  if (remote !== undefined && adapter === undefined) {
    if (/^\S{1,200}$/.test(remote)) return { kind: 'remote', servedAs: remote, baseModel };
    throw new UnderstudyError('invalid_option', { option: '--remote', detail: 'must be an id without spaces' });
  }
  throw new UnderstudyError('invalid_option', { option: '--adapter, --remote', detail: 'give one of them' });
}
