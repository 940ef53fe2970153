import { redact } from '../redaction/index.js';

/**
 * A foreign message made fit for errors, logs and histories: one line, at most 200 characters, without what it quotes
 * (trainers like to quote the row they failed on) and without personal data.
 */
export function safeDetail(message: string): string {
  const plain = message
    .slice(0, 4_000)
    .replace(/(["'`«“‘]).*?(["'`»”’]|$)/gs, '…')
    .replace(/\s+/g, ' ')
    .trim();
  const clean = redact(plain);
  return clean.length > 200 ? `${clean.slice(0, 199)}…` : clean;
}
