import { expect, it } from 'vitest';
import { UnderstudyError } from '../errors.js';
import { reportTroubles } from './report-troubles.js';

it('says each trouble once when it begins and once when it is over', () => {
  const said: string[] = [];
  const log = (level: string) => (facts: object) => said.push(`${level} ${JSON.stringify(facts)}`);
  const report = reportTroubles({ info: log('info'), warn: log('warn') });
  const url = 'http://one:8901';
  const away = {
    url,
    servedAs: null,
    error: new UnderstudyError('serving_unreachable', { url, detail: 'ECONNREFUSED' }),
  };
  const broken = { url, servedAs: 'desk-v2', error: new UnderstudyError('adapter_refused', { detail: 'a pickle' }) };
  for (const failed of [[away], [away], [away, broken], [broken], [], []]) report({ loaded: [], unloaded: [], failed });
  expect(said.map((line) => line.replace(/"detail":.*/, ''))).toEqual([
    'warn {"url":"http://one:8901","adapter":null,',
    'warn {"url":"http://one:8901","adapter":"desk-v2",',
    'info {"url":"http://one:8901","adapter":null,',
    'info {"url":"http://one:8901","adapter":"desk-v2",',
  ]);
  expect(said[0]).toContain('ECONNREFUSED');
});
