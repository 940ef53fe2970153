import { randomUUID } from 'node:crypto';
import { show } from './output.js';
import { tellCycle } from './tell-cycle.js';
import { wholeNumber } from './whole-number.js';

interface Options {
  by: string;
  candidate?: string;
  reason?: string;
  requestId?: string;
  actor: string;
  json?: boolean;
}

/** Puts off the last look of the running experiment; `message_refused` says why when that cannot be. */
export async function cycleExtend(model: string, { by, actor, reason, ...options }: Options): Promise<void> {
  const candidate = options.candidate === undefined ? undefined : wholeNumber('--candidate', options.candidate);
  const requestId = options.requestId ?? randomUUID();
  const message = { by, actor, request_id: requestId, ...(reason && { reason }), ...(candidate && { candidate }) };
  const heard = await tellCycle(model, 'extend', message, requestId);
  show(options.json ?? false, { ...message, ...heard }, () => heard.note);
}
