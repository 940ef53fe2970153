/** One thing a customer can want: its label is the right answer, `says` are phrases of the grammar for it. */
export interface Intent {
  label: string;
  says: readonly string[];
}
