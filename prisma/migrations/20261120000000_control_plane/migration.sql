-- The control plane and the capture tables.
-- Hazards are guarded by constraints, not by code: one route per model, one live cycle per model, route changes that
-- form a gapless sequence of epochs, versions that exist before anything points at them.

CREATE TABLE models (
  name          text PRIMARY KEY CHECK (name ~ '^[a-z0-9._-]{1,64}$'),
  policy        jsonb NOT NULL,
  policy_digest text NOT NULL CHECK (policy_digest ~ '^[0-9a-f]{64}$'),
  sandbox       boolean NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

-- One live cycle per model (partial unique index below); run_id is the fencing token of the lease.
CREATE TABLE cycles (
  id               uuid PRIMARY KEY,
  model            text NOT NULL REFERENCES models (name),
  workflow_id      text NOT NULL,
  run_id           text NOT NULL,
  original_run_id  text NOT NULL,
  trigger          text NOT NULL,
  phase            text NOT NULL,
  policy           jsonb NOT NULL,
  policy_digest    text NOT NULL,
  sandbox          boolean NOT NULL,
  candidate        integer,
  champion_before  integer,
  outcome          text CHECK (outcome IN ('promoted', 'rejected', 'inconclusive', 'skipped', 'rolled_back', 'failed', 'canceled')),
  reason           text CHECK (length(reason) <= 200),
  started_at       timestamptz NOT NULL,
  ended_at         timestamptz,
  CHECK ((ended_at IS NULL) = (outcome IS NULL)),
  UNIQUE (model, original_run_id)
);
CREATE UNIQUE INDEX cycles_one_live_per_model ON cycles (model) WHERE ended_at IS NULL;
CREATE INDEX cycles_by_model ON cycles (model, started_at DESC);

CREATE TABLE datasets (
  id          uuid PRIMARY KEY,
  model       text NOT NULL REFERENCES models (name),
  cycle_id    uuid NOT NULL UNIQUE REFERENCES cycles (id),
  digest      text CHECK (digest ~ '^[0-9a-f]{64}$'),
  uri         text,
  manifest    jsonb,
  state       text NOT NULL CHECK (state IN ('collecting', 'frozen', 'orphaned')),
  considered  integer NOT NULL DEFAULT 0,
  kept        integer NOT NULL DEFAULT 0,
  train       integer NOT NULL DEFAULT 0,
  validation  integer NOT NULL DEFAULT 0,
  left_out    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL,
  CHECK (state <> 'frozen' OR (digest IS NOT NULL AND uri IS NOT NULL AND manifest IS NOT NULL)),
  CHECK (kept = train + validation)
);

-- Every interaction that was looked at, also those left out: interactions in = rows kept + rows left out, by reason.
CREATE TABLE dataset_rows (
  dataset_id      uuid NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
  interaction_id  uuid NOT NULL,
  feedback_id     uuid,
  subject         text,
  kept            boolean NOT NULL,
  step            text NOT NULL,
  reason          text,
  split           text CHECK (split IN ('train', 'validation')),
  PRIMARY KEY (dataset_id, interaction_id),
  CHECK (kept = (split IS NOT NULL)),
  CHECK (kept OR reason IS NOT NULL)
);
CREATE INDEX dataset_rows_by_interaction ON dataset_rows (interaction_id) WHERE kept;
CREATE INDEX dataset_rows_by_subject ON dataset_rows (subject) WHERE kept;

-- The intent row: written before the job is submitted, so that a retry finds the job by its key instead of starting another.
CREATE TABLE training_runs (
  id            uuid PRIMARY KEY,
  model         text NOT NULL REFERENCES models (name),
  cycle_id      uuid NOT NULL UNIQUE REFERENCES cycles (id),
  dataset_id    uuid NOT NULL REFERENCES datasets (id),
  key           text NOT NULL UNIQUE,
  provider      text NOT NULL,
  base_url      text NOT NULL,
  base_model    text NOT NULL,
  job_id        text,
  status        text NOT NULL CHECK (status IN ('intended', 'submitted', 'running', 'succeeded', 'failed', 'cancelled')),
  adapter       jsonb,
  metrics       jsonb,
  error         text CHECK (length(error) <= 500),
  created_at    timestamptz NOT NULL,
  submitted_at  timestamptz,
  finished_at   timestamptz
);

-- state: what is stored. Champion, previous and challenger are read from the route and stored nowhere else.
CREATE TABLE versions (
  model            text NOT NULL REFERENCES models (name),
  version          integer NOT NULL CHECK (version >= 1),
  label            text NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('base', 'adapter', 'remote')),
  state            text NOT NULL CHECK (state IN ('candidate', 'archived', 'rejected')),
  served_as        text NOT NULL,
  base_model       text NOT NULL,
  adapter_uri      text,
  adapter_sha256   text CHECK (adapter_sha256 ~ '^[0-9a-f]{64}$'),
  adapter_rank     integer,
  training_run_id  uuid UNIQUE REFERENCES training_runs (id),
  dataset_id       uuid REFERENCES datasets (id),
  cycle_id         uuid REFERENCES cycles (id),
  metrics          jsonb NOT NULL DEFAULT '{}',
  sandbox          boolean NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now(),
  retired_at       timestamptz,
  PRIMARY KEY (model, version),
  CHECK (kind <> 'adapter' OR (adapter_uri IS NOT NULL AND adapter_sha256 IS NOT NULL AND adapter_rank IS NOT NULL))
);

CREATE TABLE experiments (
  id               uuid PRIMARY KEY,
  model            text NOT NULL REFERENCES models (name),
  cycle_id         uuid NOT NULL REFERENCES cycles (id),
  kind             text NOT NULL CHECK (kind IN ('ab', 'bake')),
  champion         integer NOT NULL,
  challenger       integer NOT NULL,
  share            double precision NOT NULL CHECK (share > 0 AND share <= 0.5),
  settings         jsonb NOT NULL,
  policy_digest    text NOT NULL,
  sandbox          boolean NOT NULL,
  p0               double precision NOT NULL,
  d0               double precision NOT NULL,
  i0               double precision NOT NULL,
  started_at       timestamptz NOT NULL,
  min_ends_at      timestamptz NOT NULL,
  max_ends_at      timestamptz NOT NULL,
  ended_at         timestamptz,
  decision         text,
  reason           text CHECK (length(reason) <= 200),
  UNIQUE (cycle_id, kind),
  FOREIGN KEY (model, champion) REFERENCES versions (model, version),
  FOREIGN KEY (model, challenger) REFERENCES versions (model, version),
  CHECK (champion <> challenger),
  CHECK ((ended_at IS NULL) = (decision IS NULL))
);
CREATE UNIQUE INDEX experiments_one_live_per_model ON experiments (model) WHERE ended_at IS NULL;

-- A look is stored with every number needed to recompute its decision from this row alone.
CREATE TABLE looks (
  experiment_id   uuid NOT NULL REFERENCES experiments (id),
  k               integer NOT NULL CHECK (k >= 1),
  taken_at        timestamptz NOT NULL,
  policy_digest   text NOT NULL,
  cut_digest      text NOT NULL,
  champion        jsonb NOT NULL,
  challenger      jsonb NOT NULL,
  crossed         integer NOT NULL,
  tested          boolean NOT NULL,
  z               double precision,
  p               double precision,
  delta           double precision,
  interval_low    double precision,
  interval_high   double precision,
  boundary        double precision,
  information     double precision,
  i_max           double precision NOT NULL,
  i0              double precision NOT NULL,
  tau             double precision,
  alpha_spent     double precision,
  srm_p           double precision,
  delta_imputed   double precision,
  evidence        jsonb NOT NULL,
  decision        text NOT NULL CHECK (decision IN ('wait', 'promote', 'reject', 'inconclusive')),
  reason          text CHECK (length(reason) <= 200),
  PRIMARY KEY (experiment_id, k)
);

CREATE TABLE evaluations (
  id                uuid PRIMARY KEY,
  model             text NOT NULL REFERENCES models (name),
  cycle_id          uuid NOT NULL UNIQUE REFERENCES cycles (id),
  champion          integer NOT NULL,
  challenger        integer NOT NULL,
  golden_digest     text,
  n                 integer NOT NULL,
  champion_right    integer NOT NULL,
  challenger_right  integer NOT NULL,
  only_challenger   integer NOT NULL,
  only_champion     integer NOT NULL,
  difference        double precision,
  standard_error    double precision,
  lower_bound       double precision,
  margin            double precision NOT NULL,
  no_gate           boolean NOT NULL,
  passed            boolean NOT NULL,
  created_at        timestamptz NOT NULL,
  FOREIGN KEY (model, champion) REFERENCES versions (model, version),
  FOREIGN KEY (model, challenger) REFERENCES versions (model, version)
);

-- The one row that says who answers.
CREATE TABLE routes (
  model          text PRIMARY KEY REFERENCES models (name),
  epoch          integer NOT NULL CHECK (epoch >= 1),
  champion       integer NOT NULL,
  previous       integer,
  challenger     integer,
  share          double precision CHECK (share > 0 AND share <= 0.5),
  experiment_id  uuid REFERENCES experiments (id),
  valid_for_ms   integer NOT NULL DEFAULT 60000 CHECK (valid_for_ms > 0),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (model, champion) REFERENCES versions (model, version),
  FOREIGN KEY (model, previous) REFERENCES versions (model, version),
  FOREIGN KEY (model, challenger) REFERENCES versions (model, version),
  CHECK (challenger IS DISTINCT FROM champion AND previous IS DISTINCT FROM champion),
  CHECK ((challenger IS NULL) = (experiment_id IS NULL) AND (challenger IS NULL) = (share IS NULL))
);

-- Append-only. The deferred constraint below makes a route that moved without its evidence impossible to commit.
CREATE TABLE route_changes (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  model       text NOT NULL REFERENCES models (name),
  epoch       integer NOT NULL CHECK (epoch >= 1),
  action      text NOT NULL,
  before      jsonb,
  after       jsonb NOT NULL,
  actor       text NOT NULL CHECK (actor <> '' AND length(actor) <= 200),
  reason      text NOT NULL CHECK (length(reason) <= 200),
  evidence    jsonb NOT NULL,
  forced      boolean NOT NULL DEFAULT false,
  request_id  text,
  cycle_id    uuid REFERENCES cycles (id),
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (model, epoch),
  UNIQUE (model, request_id)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER route_changes_append_only BEFORE UPDATE OR DELETE ON route_changes
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION route_has_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.epoch <> OLD.epoch + 1 THEN
    RAISE EXCEPTION 'route of % must move by one epoch', NEW.model USING ERRCODE = 'check_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM route_changes c WHERE c.model = NEW.model AND c.epoch = NEW.epoch) THEN
    RAISE EXCEPTION 'route of % moved to epoch % without a route change', NEW.model, NEW.epoch USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER routes_have_evidence AFTER INSERT OR UPDATE ON routes
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION route_has_evidence();

CREATE TABLE keys (
  id          uuid PRIMARY KEY,
  name        text NOT NULL,
  hash        bytea NOT NULL UNIQUE,
  scopes      text[] NOT NULL CHECK (scopes <> '{}' AND scopes <@ ARRAY['ingest', 'serve', 'read', 'operate', 'admin']),
  model       text REFERENCES models (name),
  created_at  timestamptz NOT NULL DEFAULT now(),
  revoked_at  timestamptz
);

-- Capture. Keys are UUIDv7, tables are range-partitioned by id, so that a month is dropped by one statement.
-- No foreign key leads here: capture must not depend on the control plane, and feedback may come before its interaction.
CREATE TABLE interactions (
  id                 uuid NOT NULL PRIMARY KEY,
  model              text NOT NULL,
  external_id        text,
  asked_at           timestamptz NOT NULL,
  received_at        timestamptz NOT NULL DEFAULT now(),
  subject            text CHECK (subject ~ '^[0-9a-f]{64}$'),
  session            text,
  experiment_id      uuid,
  arm                text CHECK (arm IN ('champion', 'challenger', 'holdback')),
  assigned_version   integer,
  version            integer,
  status             text NOT NULL CHECK (status IN ('complete', 'incomplete', 'failed')),
  request            jsonb NOT NULL,
  response           jsonb,
  latency_ms         integer,
  prompt_tokens      integer,
  completion_tokens  integer,
  tags               jsonb NOT NULL DEFAULT '{}',
  digest             bytea NOT NULL,
  CHECK ((experiment_id IS NULL) = (arm IS NULL)),
  CHECK (status <> 'complete' OR response IS NOT NULL)
) PARTITION BY RANGE (id);
CREATE INDEX interactions_by_model ON interactions (model, asked_at);
CREATE INDEX interactions_by_experiment ON interactions (experiment_id, subject) WHERE experiment_id IS NOT NULL;
CREATE INDEX interactions_by_external_id ON interactions (model, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX interactions_by_subject ON interactions (subject) WHERE subject IS NOT NULL;

-- interaction_id is null while feedback given by external_id is parked, waiting for its interaction.
CREATE TABLE feedback (
  id              uuid NOT NULL PRIMARY KEY,
  model           text,
  interaction_id  uuid,
  external_id     text,
  kind            text NOT NULL CHECK (kind IN ('thumbs', 'rating', 'correction', 'preference', 'comment', 'score', 'edited', 'copied', 'regenerated')),
  body            jsonb NOT NULL,
  choice_index    integer NOT NULL DEFAULT 0 CHECK (choice_index >= 0),
  source          text NOT NULL,
  given_at        timestamptz NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  retracted_at    timestamptz,
  digest          bytea NOT NULL,
  CHECK (interaction_id IS NOT NULL OR (model IS NOT NULL AND external_id IS NOT NULL))
) PARTITION BY RANGE (id);
CREATE INDEX feedback_by_interaction ON feedback (interaction_id) WHERE interaction_id IS NOT NULL;
CREATE INDEX feedback_parked ON feedback (model, external_id) WHERE interaction_id IS NULL;

-- First time a subject was assigned to an arm of an experiment. A subject with two rows has crossed arms.
CREATE TABLE exposures (
  experiment_id  uuid NOT NULL,
  subject        text NOT NULL CHECK (subject ~ '^[0-9a-f]{64}$'),
  arm            text NOT NULL CHECK (arm IN ('champion', 'challenger', 'holdback')),
  version        integer NOT NULL,
  exposed_at     timestamptz NOT NULL,
  PRIMARY KEY (experiment_id, subject, arm)
);

-- The lowest UUIDv7 of an instant: 48 bits of milliseconds, everything else zero.
CREATE FUNCTION uuid7_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- Makes the monthly partition of an instant (UTC months). Safe to call twice and at once.
CREATE FUNCTION ensure_month_partition(parent text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
  following timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
  name text := parent || '_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
  IF parent NOT IN ('interactions', 'feedback') THEN
    RAISE EXCEPTION 'no partitioned table %', parent;
  END IF;
  IF to_regclass(name) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('ensure_month_partition'), hashtext(name));
  -- Not to_regclass again: it would answer from this session's cache, which waiting for the lock does not refresh.
  IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relkind = 'r') THEN
    RETURN;
  END IF;
  -- Rows of this month may already wait in the default partition, and Postgres refuses a partition while they do: move them first.
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
  EXECUTE format('WITH moved AS (DELETE FROM %I WHERE id >= %L AND id < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
    parent || '_default', uuid7_floor(month), uuid7_floor(following), name);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, uuid7_floor(month), uuid7_floor(following));
END $$;

-- Rows of a month that has no partition of its own yet wait here, so that nothing acknowledged is ever refused.
CREATE TABLE interactions_default PARTITION OF interactions DEFAULT;
CREATE TABLE feedback_default PARTITION OF feedback DEFAULT;
SELECT ensure_month_partition(t, now() + m * interval '1 month')
  FROM unnest(ARRAY['interactions', 'feedback']) t, generate_series(-1, 2) m;
