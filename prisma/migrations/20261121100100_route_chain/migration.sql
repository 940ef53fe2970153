-- The audit is a chain: each route change carries the SHA-256 over its content and the hash of the change before it, of the
-- same model. Whoever changes, removes or inserts a row has to make every later one anew, and `understudy verify` shows it.
CREATE FUNCTION route_change_hash(previous text, change route_changes) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT encode(sha256(convert_to(previous || E'\n' || jsonb_build_object(
           'model', change.model,
           'epoch', change.epoch,
           'action', change.action,
           'before', change.before,
           'after', change.after,
           'actor', change.actor,
           'reason', change.reason,
           'evidence', change.evidence,
           'forced', change.forced,
           'request_id', change.request_id,
           'cycle_id', change.cycle_id,
           'created_at', to_char(change.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
         )::text, 'UTF8')), 'hex')
$$;

ALTER TABLE route_changes ADD COLUMN hash text NOT NULL DEFAULT '';

-- The one change ever made to rows that are there: they are chained in their order.
ALTER TABLE route_changes DISABLE TRIGGER route_changes_append_only;
DO $$
DECLARE
  change route_changes;
  previous text := '';
  model text := NULL;
BEGIN
  FOR change IN SELECT * FROM route_changes ORDER BY route_changes.model, route_changes.epoch LOOP
    IF model IS DISTINCT FROM change.model THEN
      previous := '';
      model := change.model;
    END IF;
    previous := route_change_hash(previous, change);
    UPDATE route_changes SET hash = previous WHERE id = change.id;
  END LOOP;
END $$;
ALTER TABLE route_changes ENABLE TRIGGER route_changes_append_only;

-- Written with the row itself, so that no writer can leave it out. The route's own row is locked by whoever writes here.
CREATE FUNCTION chain_route_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.hash := route_change_hash(
    coalesce((SELECT hash FROM route_changes
               WHERE model = NEW.model AND epoch < NEW.epoch ORDER BY epoch DESC LIMIT 1), ''),
    NEW);
  RETURN NEW;
END $$;
CREATE TRIGGER route_changes_chained BEFORE INSERT ON route_changes
  FOR EACH ROW EXECUTE FUNCTION chain_route_change();

-- SHA-256 over everything else in the row. Null in rows that are older than this column.
ALTER TABLE looks ADD COLUMN digest text;
