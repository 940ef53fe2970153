import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UnderstudyError } from '../../errors.js';
import { encodeMessage } from './otlp-messages.js';

const PROTOBUF = 'application/x-protobuf';
/** Seconds after which a sender is asked to try again. */
const RETRY_AFTER = '5';
/** Canonical codes of google.rpc, by HTTP status; 2 is "unknown". */
const CODES: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 503: 14 };

/** Whether a request came as protobuf: OTLP answers in the type of the request. */
export function isProtobuf(request: FastifyRequest): boolean {
  return mediaType(request) === PROTOBUF;
}

function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** `200` also when records were rejected: OTLP has them in the body, and senders do not try those again. */
export function sendOtlpAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  rejected: number,
  message: string,
): FastifyReply {
  const partial = rejected > 0 || message !== '';
  // 64-bit numbers are text in protobuf's JSON.
  const body = partial
    ? { partialSuccess: { ...(rejected > 0 ? { rejectedLogRecords: String(rejected) } : {}), errorMessage: message } }
    : {};
  if (!isProtobuf(request)) return reply.type('application/json; charset=utf-8').send(body);
  return reply.type(PROTOBUF).send(encodeMessage('ExportLogsServiceResponse', body));
}

/** An error as OTLP/HTTP has it: `google.rpc.Status` in the type of the request, with Retry-After where a retry helps. */
export function sendOtlpError(error: UnderstudyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = { code: CODES[error.status] ?? 2, message: error.message };
  if (error.status === 503) reply.header('retry-after', RETRY_AFTER);
  reply.code(error.status);
  if (!isProtobuf(request)) return reply.type('application/json; charset=utf-8').send(status);
  return reply.type(PROTOBUF).send(encodeMessage('Status', status));
}
