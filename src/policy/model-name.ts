import { z } from 'zod';

/** What an app asks for by name. */
export const modelName = z.string().regex(/^[a-z0-9._-]{1,64}$/, 'must be 1 to 64 of a-z, 0-9, ".", "_", "-"');
