import { UnderstudyError } from '../errors.js';

/** `support-desk@3`, as a command names a version. Throws `invalid_option`. */
export function versionReference(text: string): { model: string; version: number } {
  const [, model, version] = /^([^@]+)@([1-9]\d{0,8})$/.exec(text) ?? [];
  if (model === undefined || version === undefined) {
    throw new UnderstudyError('invalid_option', { option: 'MODEL@N', detail: 'write it as support-desk@3' });
  }
  return { model, version: Number(version) };
}
