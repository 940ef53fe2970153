import { describe, expect, it } from 'vitest';
import { connectTemporal, readTemporalConfig } from './connect.js';
import { connectWorker } from './connect-worker.js';

const nowhere = { TEMPORAL_ADDRESS: '127.0.0.1:1', TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml' };

describe('the connection to Temporal', () => {
  it('comes from the standard variables', () => {
    const config = readTemporalConfig({ ...nowhere, TEMPORAL_NAMESPACE: 'desk' });
    expect(config).toMatchObject({ address: '127.0.0.1:1', namespace: 'desk', options: { address: '127.0.0.1:1' } });
  });

  it('defaults to a local server', () => {
    const { TEMPORAL_CONFIG_FILE } = nowhere;
    expect(readTemporalConfig({ TEMPORAL_CONFIG_FILE })).toMatchObject({
      address: 'localhost:7233',
      namespace: 'default',
    });
  });

  it('takes an API key, with TLS', () => {
    const { options } = readTemporalConfig({ ...nowhere, TEMPORAL_API_KEY: 'secret' });
    expect(options).toMatchObject({ apiKey: 'secret', tls: true });
  });

  it('says where nobody answers, and which variable to check', async () => {
    const failed = { code: 'temporal_unreachable', details: { address: '127.0.0.1:1' } };
    await expect(connectTemporal(readTemporalConfig(nowhere), 500)).rejects.toMatchObject(failed);
    await expect(connectWorker(readTemporalConfig(nowhere))).rejects.toMatchObject(failed);
    await expect(connectTemporal(readTemporalConfig(nowhere), 500)).rejects.toThrow(/Check TEMPORAL_ADDRESS/);
  });
});
