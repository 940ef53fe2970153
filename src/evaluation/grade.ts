/** Whether an answer is the right one: equal but for case and white space. Null: there was no answer. */
export function isRight(answer: string | null, right: string): boolean {
  return answer !== null && fold(answer) === fold(right);
}

function fold(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}
