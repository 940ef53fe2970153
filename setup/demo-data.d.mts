/** A question of a data file, with the right answer to it. */
export interface DataQuestion {
  text: string;
  intent: string;
  subject?: string;
}

/** How many questions go where. */
export const PARTS: { base: number; golden: number; asked: number; leastAsked: number; leastRest: number };
/** The least number of different questions a file must have. */
export const LEAST_QUESTIONS: number;
/** A text as it is compared with others: lower case, only letters and numbers, single spaces. */
export function normalised(text: string): string;
/** Streams through the file and stops at the first wrong line; never throws. */
export function checkDemoData(
  file: string,
  take?: (question: DataQuestion) => void,
): { ok: true; rows: number; distinct: number; intents: number } | { ok: false; message: string };
/** All questions of a file. @throws Error with the message of `checkDemoData` */
export function readDemoData(file: string): DataQuestion[];
