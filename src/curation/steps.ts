import type { Step } from './step.js';
import { answerLength } from './steps/answer-length.js';
import { blockedPattern } from './steps/blocked-pattern.js';
import { chatText } from './steps/chat-text.js';
import { duplicate } from './steps/duplicate.js';
import { emptyAnswer } from './steps/empty-answer.js';
import { feedback } from './steps/feedback.js';
import { golden } from './steps/golden.js';
import { quality } from './steps/quality.js';
import { redaction } from './steps/redaction.js';
import { rowCap } from './steps/row-cap.js';
import { subjectCap } from './steps/subject-cap.js';

/**
 * The curation, in order. To add a step: write it as a file of steps/, put it into this list where it belongs, and give it
 * a reason in row.ts. Rows come newest first, so whoever keeps the first of several keeps the latest.
 */
export const STEPS: readonly Step[] = [
  chatText,
  quality,
  feedback,
  emptyAnswer,
  answerLength,
  blockedPattern,
  // Before the redaction: the golden set is compared as it was asked.
  golden,
  redaction,
  // After it: two rows that differ only in what was redacted are the same to a model.
  duplicate,
  // The caps come last, so that no place is taken by a row that is left out anyway.
  subjectCap,
  rowCap,
];
