import type { UnderstudyError } from '../errors.js';

/** An error as OpenAI clients expect it. */
export interface OpenAiError {
  error: { message: string; type: string; code: string; param: string | null };
}

/** An error of our table in OpenAI's shape; `code` stays ours. */
export function toOpenAiError(error: UnderstudyError, param: string | null = null): OpenAiError {
  return { error: { message: error.message, type: typeOf(error.status), code: error.code, param } };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
