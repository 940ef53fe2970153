import { z } from 'zod';

/** A text that is not blank; Postgres takes no NUL and no half of a surrogate pair, and counts characters as we do here. */
export const line = (max: number) =>
  z
    .string()
    .refine((text) => text.trim() !== '' && !text.includes('\0'), 'must not be blank, and not contain NUL')
    .refine((text) => [...text].length <= max, `must have at most ${max} characters`)
    .meta({ minLength: 1, maxLength: max, pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' })
    .transform((text) => text.trim().replace(/\p{Surrogate}/gu, '\ufffd'));
