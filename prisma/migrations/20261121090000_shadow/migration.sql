-- A version that answers copies of a model's requests unseen. Not part of the route: it decides nothing about who answers.
CREATE TABLE shadows (
  model       text PRIMARY KEY REFERENCES models (name),
  version     integer NOT NULL,
  -- Of the requests, chosen by their ids.
  share       double precision NOT NULL CHECK (share > 0 AND share <= 1),
  ends_at     timestamptz NOT NULL,
  actor       text NOT NULL,
  reason      text NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

-- What a shadow answered. A table of its own, so that nothing that counts, judges or learns from interactions can meet it.
CREATE TABLE shadow_answers (
  -- Of the interaction whose request it is.
  id                 uuid NOT NULL,
  model              text NOT NULL,
  version            integer NOT NULL,
  status             text NOT NULL CHECK (status IN ('complete', 'failed')),
  response           jsonb,
  -- Why there is no answer; never a text of a conversation.
  failure            text,
  latency_ms         integer NOT NULL CHECK (latency_ms >= 0),
  prompt_tokens      integer,
  completion_tokens  integer,
  PRIMARY KEY (id, version)
) PARTITION BY RANGE (id);
CREATE INDEX shadow_answers_by_version ON shadow_answers (model, version, id);
CREATE TABLE shadow_answers_default PARTITION OF shadow_answers DEFAULT;

-- As before, for the new table too.
CREATE OR REPLACE FUNCTION ensure_month_partition(parent text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
  following timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
  name text := parent || '_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
  IF parent NOT IN ('interactions', 'feedback', 'shadow_answers') THEN
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
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
  -- The lock that attaching takes, taken before the rows are looked for.
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
  EXECUTE format('WITH moved AS (DELETE FROM %I WHERE id >= %L AND id < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
    parent || '_default', uuid7_floor(month), uuid7_floor(following), name);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, uuid7_floor(month), uuid7_floor(following));
END $$;

-- Drops the rows of an instant's month (UTC), whether they have a partition or wait in the default one. Datasets keep
-- what they froze: nothing refers to these rows but by value.
CREATE OR REPLACE FUNCTION drop_month_partition(parent text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
  following timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
  IF parent NOT IN ('interactions', 'feedback', 'shadow_answers') THEN
    RAISE EXCEPTION 'no partitioned table %', parent;
  END IF;
  EXECUTE format('DROP TABLE IF EXISTS %I', parent || '_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'));
  EXECUTE format('DELETE FROM %I WHERE id >= %L AND id < %L', parent || '_default', uuid7_floor(month), uuid7_floor(following));
END $$;

SELECT ensure_month_partition('shadow_answers', now() + m * interval '1 month') FROM generate_series(-1, 2) m;
