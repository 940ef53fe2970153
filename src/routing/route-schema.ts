import { z } from 'zod';

const version = z.int().min(1);
/** A route as JSON, in what is kept on disk and what a notification carries. */
export const routeSchema = z.strictObject({
  model: z.string().min(1),
  epoch: z.int().min(1),
  champion: version,
  previous: version.nullable(),
  challenger: version.nullable(),
  share: z.number().gt(0).max(0.5).nullable(),
  experimentId: z.uuid().nullable(),
  validForMs: z.int().min(1),
  promotedAt: z.coerce.date().nullable(),
});
