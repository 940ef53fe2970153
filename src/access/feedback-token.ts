import { createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto';
import { UnderstudyError } from '../errors.js';

/** What a feedback token allows: to say what its bearer thinks of one interaction. */
export interface FeedbackClaim {
  interaction: string;
  model: string;
}

/**
 * Tokens with which a browser may rate the answer it was given, and no other. Nothing is stored of them: whoever has the
 * deployment's subject key can check them.
 */
export interface FeedbackTokens {
  /** `usft_…`, some 70 characters for a header. @param expiresAt milliseconds since 1970 */
  make(claim: FeedbackClaim, expiresAt: number): string;
  /**
   * The claim of an `Authorization: Bearer usft_…` header; undefined for any other header. Throws
   * `feedback_token_refused` for a token that is not ours, was changed, or has expired.
   */
  claimOf(header: string | undefined): FeedbackClaim | undefined;
}

const PREFIX = 'usft_';
const VERSION = 1;
/** Version, interaction, expiry in seconds; the model follows. */
const HEAD = 1 + 16 + 4;
/** Of the HMAC in base64url: 132 of its bits. */
const MAC_CHARS = 22;
const TOKEN = /^bearer +usft_([A-Za-z0-9_-]{29,120})([A-Za-z0-9_-]{22}) *$/i;

/** The key is derived from the subject key under a label of its own, so that no HMAC of one use is one of the other. */
export function createFeedbackTokens(subjectKey: string, clock: () => number = Date.now): FeedbackTokens {
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', subjectKey, '', 'understudy feedback token', 32)));
  const macOf = (payload: Buffer) => createHmac('sha256', key).update(payload).digest('base64url').slice(0, MAC_CHARS);

  return {
    make({ interaction, model }, expiresAt) {
      const payload = Buffer.allocUnsafe(HEAD + model.length);
      payload[0] = VERSION;
      payload.write(interaction.replaceAll('-', ''), 1, 16, 'hex');
      payload.writeUInt32BE(Math.floor(expiresAt / 1_000), 17);
      payload.write(model, HEAD, 'latin1');
      return PREFIX + payload.toString('base64url') + macOf(payload);
    },
    claimOf(header) {
      if (header === undefined || !/^bearer +usft_/i.test(header)) return undefined;
      const [, text = '', mac = ''] = TOKEN.exec(header) ?? [];
      const payload = Buffer.from(text, 'base64url');
      // The last character may have bits to spare: one token has one spelling.
      const isOurs =
        payload.length > HEAD &&
        payload.toString('base64url') === text &&
        timingSafeEqual(Buffer.from(macOf(payload)), Buffer.from(mac));
      if (!isOurs || payload[0] !== VERSION) throw refused('it is not one of this deployment');
      if (payload.readUInt32BE(17) * 1_000 <= clock()) throw refused('it has expired');
      const hex = payload.toString('hex', 1, 17);
      const interaction = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      return { interaction, model: payload.toString('latin1', HEAD) };
    },
  };
}

function refused(detail: string): UnderstudyError {
  return new UnderstudyError('feedback_token_refused', { detail });
}
