import type { Question } from './questions.js';

/** Hands questions out one by one. `index` counts everything handed out, so it is never the same twice. */
export interface QuestionFeed {
  next(): { question: Question; index: number } | null;
}

/** Each question once, then nothing. */
export function once(questions: readonly Question[]): QuestionFeed {
  let index = 0;
  return {
    next() {
      const question = questions[index];
      return question === undefined ? null : { question, index: index++ };
    },
  };
}

/** All questions in their order, then from the beginning again, for as long as there are customers. */
export function again(questions: readonly Question[]): QuestionFeed {
  if (questions.length === 0) throw new RangeError('there are no questions to ask again');
  let index = 0;
  return {
    next() {
      const question = questions[index % questions.length] as Question;
      return { question, index: index++ };
    },
  };
}
