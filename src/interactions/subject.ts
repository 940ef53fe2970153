import { createHmac } from 'node:crypto';

/** A person or account as it is stored and assigned everywhere: HMAC-SHA-256 under the installation's key, in hex. */
export function hashSubject(key: string, subject: string): string {
  return createHmac('sha256', key).update(subject).digest('hex');
}

/** The subject a chat-completions body names: `safety_identifier`, else `user`, else `metadata.user_id`. */
export function subjectInBody(body: Record<string, unknown>): string | undefined {
  return text(body.safety_identifier) ?? text(body.user) ?? text(metadata(body)?.user_id);
}

/**
 * The body with the subjects it names replaced by their hashes, for storing: a subject is never kept in clear, and the
 * hash still says that two requests name the same one. The same object when it names none.
 */
export function hideSubjects(key: string, body: Record<string, unknown>): Record<string, unknown> {
  if (subjectInBody(body) === undefined) return body;
  const hidden = { ...body };
  for (const field of ['safety_identifier', 'user'] as const) {
    const subject = text(body[field]);
    if (subject !== undefined) hidden[field] = hashSubject(key, subject);
  }
  const inner = metadata(body);
  const subject = text(inner?.user_id);
  if (subject !== undefined) hidden.metadata = { ...inner, user_id: hashSubject(key, subject) };
  return hidden;
}

function metadata(body: Record<string, unknown>): Record<string, unknown> | undefined {
  const value = body.metadata;
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
