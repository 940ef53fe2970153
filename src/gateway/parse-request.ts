import { UnderstudyError } from '../errors.js';

/** What the gateway reads of a body; the rest belongs to the upstream. */
export interface ModelRequest {
  /** As it came. */
  text: string;
  body: Record<string, unknown>;
  /** Without the pin. */
  model: string;
  /** Of `model@3`; undefined without a pin. */
  pinned: number | undefined;
  /** `store: false`: routed, not captured. */
  store: boolean;
  /** `stream: true`: answered by server-sent events. */
  stream: boolean;
}

/** Throws `invalid_request` and, for a pin that is no version number, `unknown_model`. */
export function parseRequest(raw: Buffer): ModelRequest {
  const text = raw.toString('utf8');
  const body = parseJson(text);
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw invalid('the body must be a JSON object');
  const fields = body as Record<string, unknown>;
  if (typeof fields.model !== 'string' || fields.model === '') throw invalid('model must be a name');
  const at = fields.model.indexOf('@');
  const pin = at === -1 ? undefined : fields.model.slice(at + 1);
  if (pin !== undefined && !/^[1-9]\d{0,8}$/.test(pin)) {
    throw new UnderstudyError('unknown_model', { model: shortened(fields.model) });
  }
  return {
    text,
    body: fields,
    model: shortened(at === -1 ? fields.model : fields.model.slice(0, at)),
    pinned: pin === undefined ? undefined : Number(pin),
    store: fields.store !== false,
    stream: fields.stream === true,
  };
}

/** Names are shown in messages; whatever else a client put there is not. */
function shortened(model: string): string {
  return model.slice(0, 80);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('the body is not JSON');
  }
}

function invalid(detail: string): UnderstudyError {
  return new UnderstudyError('invalid_request', { detail });
}
