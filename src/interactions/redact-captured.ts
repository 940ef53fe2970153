import type { Db } from '../db/index.js';
import { inTurns, redactJson, redactText } from '../redaction/index.js';
import { capturePolicies } from './capture-policies.js';
import type { CapturedInteraction } from './store-captured.js';

type Members = Record<string, unknown>;

/**
 * Interaction records, not yet checked, as they are to be stored: of a model with `capture.redact_at: capture` with
 * personal data in request, response, tags and feedback replaced by placeholders. Before anything else is made of a
 * record, its digest above all: a resend is redacted alike and finds itself.
 *
 * @throws errors of the database when it is away
 */
export async function redactRecords(db: Pick<Db, 'pool'>, records: readonly unknown[]): Promise<readonly unknown[]> {
  const named = records.flatMap((record) => (typeof modelOf(record) === 'string' ? [modelOf(record) as string] : []));
  const policies = await capturePolicies(db, new Set(named));
  if (!policies.anyRedacts) return records;
  const redacted: unknown[] = [];
  for (const record of records) {
    const model = modelOf(record);
    const asItCame = typeof model !== 'string' || policies.of(model).capture.redact_at !== 'capture';
    redacted.push(asItCame ? record : await inTurns(redactRecord(record as Members)));
  }
  return redacted;
}

/** What a gateway captured, with personal data replaced by placeholders. Its subjects are hashed already. */
export async function redactCaptured(captured: CapturedInteraction): Promise<CapturedInteraction> {
  const { request, response } = captured;
  return {
    ...captured,
    request: (await inTurns(redactBody(parsed(request)))) as Members,
    response: response === null ? null : ((await inTurns(redactJson(parsed(response)))) as Members),
  };
}

/** An answer of the model as it is to be stored: without personal data where the model's policy redacts at capture. */
export async function redactAnswer(db: Pick<Db, 'pool'>, model: string, answer: Members): Promise<Members> {
  const { capture } = (await capturePolicies(db, [model])).of(model);
  return capture.redact_at === 'capture' ? ((await inTurns(redactJson(answer))) as Members) : answer;
}

/** A body that was captured as its JSON text is looked into, not read as one text. */
function parsed(body: unknown): unknown {
  return typeof body === 'string' ? JSON.parse(body) : body;
}

function* redactRecord(record: Members): Generator<undefined, Members> {
  const redacted: Members = { ...record };
  if ('request' in record) redacted.request = yield* redactBody(record.request);
  for (const name of ['response', 'tags']) if (name in record) redacted[name] = yield* redactJson(record[name]);
  if (Array.isArray(record.feedback)) {
    const said: unknown[] = [];
    for (const given of record.feedback) said.push(isObject(given) ? yield* redactFeedback(given) : given);
    redacted.feedback = said;
  }
  return redacted;
}

/** Feedback with personal data in what was written replaced by placeholders; the same object when there is none. */
export function* redactFeedback<Given extends object>(given: Given): Generator<undefined, Given> {
  const redacted = { ...given } as Members;
  let changed = false;
  for (const name of ['value', 'chosen', 'rejected']) {
    const text = redacted[name];
    if (typeof text !== 'string') continue;
    redacted[name] = yield* redactText(text);
    changed ||= redacted[name] !== text;
  }
  return changed ? (redacted as Given) : given;
}

/** A request. Whom it names stays as it is: that is hashed for storing, and two subjects must not become one before. */
function* redactBody(body: unknown): Generator<undefined, unknown> {
  const redacted = yield* redactJson(body);
  if (!isObject(body) || !isObject(redacted)) return redacted;
  for (const name of ['user', 'safety_identifier']) if (name in body) redacted[name] = body[name];
  if (isObject(body.metadata) && isObject(redacted.metadata) && 'user_id' in body.metadata) {
    redacted.metadata.user_id = body.metadata.user_id;
  }
  return redacted;
}

function modelOf(record: unknown): unknown {
  return isObject(record) ? record.model : undefined;
}

function isObject(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
