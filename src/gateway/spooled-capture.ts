import type { CapturedInteraction, Exposure } from '../interactions/index.js';

/** Either of the two. Subjects in it are hashed already. */
export type Captured =
  | { interaction: CapturedInteraction; exposure?: undefined }
  | { exposure: Exposure; interaction?: undefined };

/** One line of JSON; undefined for what is nested so deep that writing it overflows the stack. */
export function captureText(captured: Captured): string | undefined {
  try {
    return JSON.stringify(captured);
  } catch {
    return undefined;
  }
}

/** What `captureText` wrote; only for texts whose checksum was right. */
export function captureOf(text: string): Captured {
  const { interaction, exposure } = JSON.parse(text) as Captured;
  if (interaction !== undefined) return { interaction: { ...interaction, askedAt: new Date(interaction.askedAt) } };
  return { exposure: { ...exposure, exposedAt: new Date(exposure.exposedAt) } };
}
