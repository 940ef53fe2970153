/**
 * The one table of errors: code, HTTP status, whether a retry may help, and what to do about it.
 * A message names things (a field, a version, a setting) and never quotes conversation text or a secret.
 */
export const ERRORS = {
  // Requests
  invalid_request: { status: 400, retryable: false, message: 'The request is not valid: {detail}.' },
  invalid_record: { status: 400, retryable: false, message: 'Record {where} is not valid: {detail}.' },
  invalid_option: { status: 400, retryable: false, message: 'Option {option} is not valid: {detail}.' },
  unauthorized: {
    status: 401,
    retryable: false,
    message: 'No valid key. Send "Authorization: Bearer us_…"; make one with `understudy key create`.',
  },
  feedback_token_refused: {
    status: 401,
    retryable: false,
    message: 'The feedback token is refused: {detail}. A new one comes with every answer of the gateway.',
  },
  forbidden: {
    status: 403,
    retryable: false,
    message: 'This key lacks the scope "{scope}". Make one that has it with `understudy key create --scope {scope}`.',
  },
  rate_limited: {
    status: 429,
    retryable: true,
    message: 'This key has used up its {budget} ({limit}). Try again in {retry_after} s, or give it a larger one.',
  },
  not_found: { status: 404, retryable: false, message: '{what} does not exist.' },
  unknown_model: {
    status: 404,
    retryable: false,
    message: 'Model "{model}" does not exist. Apply its policy with `understudy model apply -f model.yaml`.',
  },
  unknown_version: {
    status: 404,
    retryable: false,
    message: 'Model "{model}" has no version {version}. See `understudy model show {model}`.',
  },
  method_not_allowed: { status: 405, retryable: false, message: '{path} does not take {method}; it takes {allowed}.' },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    message: 'The body must be JSON. Send "Content-Type: application/json".',
  },
  idempotency_key_reused: {
    status: 422,
    retryable: false,
    message: 'This Idempotency-Key came with another body before. Use a new key for a new request.',
  },
  unsupported_otlp: {
    status: 415,
    retryable: false,
    message: 'Send OTLP as application/x-protobuf or application/json, plain or with "Content-Encoding: gzip".',
  },
  conflict: { status: 409, retryable: false, message: '{detail}' },
  payload_too_large: {
    status: 413,
    retryable: false,
    message: 'The body is larger than {limit} bytes. Send smaller batches.',
  },

  headers_too_large: {
    status: 431,
    retryable: false,
    message: 'The address and headers are larger than {limit} bytes. Send less in them.',
  },
  request_timeout: {
    status: 408,
    retryable: true,
    message: 'The request did not arrive whole in time. Send it again.',
  },

  // Keys
  unknown_key: { status: 404, retryable: false, message: 'There is no key {id}. See `understudy key list`.' },
  key_rotated: {
    status: 409,
    retryable: false,
    message: 'Key {id} has a successor already: {successor}. To replace that one, rotate it.',
  },
  key_ended: {
    status: 409,
    retryable: false,
    message: 'Key {id} was revoked or has expired. Make a new one with `understudy key create`.',
  },
  keys_unavailable: {
    status: 503,
    retryable: true,
    message: 'This key cannot be checked now ({detail}). Keys that were used before go on working; try again.',
  },

  // Policy
  invalid_policy: { status: 400, retryable: false, message: 'The policy is not valid: {detail}' },
  policy_below_floor: {
    status: 400,
    retryable: false,
    message:
      'experiment.min_duration is {given}; the floor is 48h. Only a model with `sandbox: true` may go below it, and its records say so for ever.',
  },
  policy_target_effect: {
    status: 400,
    retryable: false,
    message:
      'experiment.target_effect ({target}) must be larger than experiment.min_effect ({minimum}): an effect that just reaches the minimum cannot be shown with any power.',
  },
  policy_sandbox_locked: {
    status: 409,
    retryable: false,
    message:
      'sandbox of model "{model}" cannot be changed: its records carry it for ever. Apply the policy under another name.',
  },
  missing_variable: {
    status: 400,
    retryable: false,
    message: 'The environment variable {name} is not set; {purpose}.',
  },

  // Routing
  route_conflict: {
    status: 409,
    retryable: true,
    message:
      'The route of "{model}" is at epoch {epoch}, not at {expected}: somebody else changed it. Read it again and decide anew.',
  },
  request_id_reused: {
    status: 409,
    retryable: false,
    message: 'Request id "{request_id}" was already used for another change of "{model}".',
  },
  nothing_to_roll_back: {
    status: 409,
    retryable: false,
    message:
      'Model "{model}" has no previous version to go back to. To take a challenger off traffic, name the champion as the version to go to.',
  },
  gateways_behind: {
    status: 504,
    retryable: true,
    message:
      'The route of "{model}" is at epoch {epoch}, but not every gateway follows it yet; after {waited_ms} ms still missing: {missing}. Each follows as soon as it can read the route.',
  },
  not_promoted: {
    status: 504,
    retryable: true,
    message:
      'Version {version} of "{model}" was not promoted within {waited_ms} ms. The cycle was asked; what it made of it: `understudy cycle status {model}`.',
  },
  promotion_too_early: {
    status: 409,
    retryable: false,
    message:
      'The experiment of "{model}" may promote from {from} on ({floor} after its start). Before that only with force, which the route change shows.',
  },
  version_rejected: {
    status: 409,
    retryable: false,
    message: 'Version {version} of "{model}" was rejected and cannot serve. Choose another one.',
  },
  adapter_dropped: {
    status: 409,
    retryable: false,
    message:
      'The adapter of version {version} of "{model}" was dropped by retention: nothing can serve it any more. Choose another one; `understudy version list {model}` shows which are there.',
  },

  // Cycle
  already_running: {
    status: 409,
    retryable: false,
    message: 'A cycle of "{model}" is already running (workflow {workflow}).',
  },
  message_refused: {
    status: 409,
    retryable: false,
    message: 'The cycle does not take this: {detail}.',
  },
  overrides_refused: {
    status: 400,
    retryable: false,
    message: 'overrides may change curation, trainer and evaluation only; refused: {fields}.',
  },
  lease_lost: {
    status: 409,
    retryable: false,
    message: 'Another run holds the lease of "{model}"; this run must stop.',
  },
  step_timed_out: {
    status: 504,
    retryable: true,
    message: 'Step {step} did not end in time. See its attempts in the history and the log of the worker.',
  },
  golden_set_unreadable: { status: 400, retryable: false, message: 'The golden set cannot be used: {detail}.' },
  golden_set_too_small: {
    status: 400,
    retryable: false,
    message: 'The golden set has {n} rows; at least 200 are needed for a gate that means something.',
  },

  // Trainer and serving
  trainer_unreachable: {
    status: 502,
    retryable: true,
    message: 'The trainer at {url} does not answer ({detail}). Start it, or correct trainer.base_url.',
  },
  trainer_nonsense: {
    status: 502,
    retryable: true,
    message: 'The trainer answered something that is not the fine-tuning API: {detail}.',
  },
  training_failed: { status: 502, retryable: false, message: 'The training job failed: {detail}.' },
  training_cancelled: {
    status: 409,
    retryable: false,
    message: 'The training job {job} was cancelled at the trainer.',
  },
  training_too_long: {
    status: 504,
    retryable: false,
    message: 'The training job was not finished by {deadline} (trainer.max_duration).',
  },
  adapter_refused: { status: 422, retryable: false, message: 'The adapter is refused: {detail}.' },
  adapter_digest_mismatch: {
    status: 422,
    retryable: false,
    message:
      'The adapter at {uri} has digest {actual}, not the recorded {expected}. It was changed after training; train again.',
  },
  adapter_base_mismatch: {
    status: 422,
    retryable: false,
    message: 'The adapter was trained for base "{actual}", the version needs "{expected}".',
  },
  serving_unreachable: {
    status: 502,
    retryable: true,
    message: 'The adapter server at {url} does not answer ({detail}). Start it, or correct serving.base_urls.',
  },
  serving_refused: { status: 502, retryable: false, message: 'The adapter server at {url} refused: {detail}.' },
  overloaded: {
    status: 503,
    retryable: true,
    message: 'This gateway has {limit} requests under way (UNDERSTUDY_MAX_IN_FLIGHT). Try again, or start another one.',
  },
  upstream_failed: { status: 502, retryable: true, message: 'No version could answer ({detail}).' },
  artifact_missing: {
    status: 500,
    retryable: false,
    message: 'Artifact {uri} is not in the store at UNDERSTUDY_ARTIFACTS.',
  },
  artifact_refused: { status: 422, retryable: false, message: 'Artifact {uri} is refused: {detail}.' },

  // Operating
  month_needed: {
    status: 409,
    retryable: false,
    message: '{month} of {table} is still needed: {why}. With --force it is dropped all the same.',
  },
  database_unreachable: {
    status: 503,
    retryable: true,
    message: 'Postgres does not answer ({detail}). Check DATABASE_URL.',
  },
  schema_outdated: {
    status: 503,
    retryable: false,
    message: 'The database schema is not the one this program needs ({detail}). Run `understudy db migrate`.',
  },
  temporal_unreachable: {
    status: 503,
    retryable: true,
    message:
      'Temporal does not answer at {address} ({detail}). Check TEMPORAL_ADDRESS; serving and rollback go on without it.',
  },
  search_attributes_missing: {
    status: 503,
    retryable: false,
    message: 'Temporal lacks the search attributes {names}. Run: {command}',
  },
  internal: {
    status: 500,
    retryable: true,
    message: 'Something went wrong on our side; the log has request {request}.',
  },
} as const satisfies Record<string, { status: number; retryable: boolean; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An error of the table, with its message filled in. `details` is shown to the caller: no texts, no secrets. */
export class UnderstudyError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, details: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(
      ERRORS[code].message.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?')),
      options,
    );
    this.name = 'UnderstudyError';
    this.code = code;
    this.status = ERRORS[code].status;
    this.retryable = ERRORS[code].retryable;
    this.details = details;
  }

  /** The body of every error answer outside the gateway: `{"error":{"code","message","details"}}`. */
  toBody(): { error: { code: ErrorCode; message: string; details: Readonly<Record<string, unknown>> } } {
    return { error: { code: this.code, message: this.message, details: this.details } };
  }
}

/** One line about any thrown value that is safe to show: a system error's code, never a body. */
export function errorDetail(error: unknown): string {
  if (error instanceof UnderstudyError) return error.message;
  if (error instanceof Error) {
    const cause = error.cause;
    const code: unknown = (error as NodeJS.ErrnoException).code ?? (cause as NodeJS.ErrnoException | undefined)?.code;
    // Of a DOMException the code is a number that says nothing.
    return typeof code === 'string' ? code : error.name;
  }
  return 'unknown error';
}
