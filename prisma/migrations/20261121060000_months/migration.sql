-- Months of the capture tables, made ahead and dropped behind.

-- As before, but nobody can write a row of the month into the default partition while its rows are moved: what came
-- between moving and attaching made Postgres refuse the partition.
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
CREATE FUNCTION drop_month_partition(parent text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
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
