import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { UnderstudyError } from '../../errors.js';
import { refusalOfJson } from '../json-body.js';
import { decodeMessage } from './otlp-messages.js';
import { isProtobuf } from './send-otlp.js';

const unzip = promisify(gunzip);
/** After decompression. A sender's batch is a few megabytes; a bomb is not. */
const LARGEST = 32 * 1_024 * 1_024;

/**
 * The export request of a body, in OTLP's JSON mapping whichever way it came. Throws `invalid_request` (never to be
 * retried as it is), `unsupported_otlp` for another encoding, `payload_too_large`.
 */
export async function readBody(request: FastifyRequest): Promise<unknown> {
  const bytes = await decompressed(request);
  const refused = isProtobuf(request) ? null : refusalOfJson(bytes);
  if (refused !== null) throw refused;
  try {
    if (isProtobuf(request)) return decodeMessage('ExportLogsServiceRequest', bytes);
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    const type = isProtobuf(request) ? 'an ExportLogsServiceRequest in protobuf' : 'JSON';
    throw new UnderstudyError('invalid_request', { detail: `the body is not ${type}` });
  }
}

async function decompressed(request: FastifyRequest): Promise<Buffer> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return body;
  if (encoding !== 'gzip') throw new UnderstudyError('unsupported_otlp');
  try {
    return await unzip(body, { maxOutputLength: LARGEST });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new UnderstudyError('payload_too_large', { limit: LARGEST });
    }
    throw new UnderstudyError('invalid_request', { detail: 'the body is not gzip' });
  }
}
