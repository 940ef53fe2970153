-- Retention of adapters: what may be dropped, what must not be, and what was.

ALTER TABLE versions ADD COLUMN adapter_dropped_at timestamptz;
COMMENT ON COLUMN versions.adapter_dropped_at IS 'From then on its files may be gone: the version can serve no more. Null: they are there';

-- A legal hold and its release are rows of their own; a hold is live while no row releases it.
CREATE TABLE version_holds (
  id        uuid PRIMARY KEY,
  model     text NOT NULL,
  version   integer NOT NULL,
  releases  uuid UNIQUE REFERENCES version_holds (id),
  actor     text NOT NULL CHECK (actor <> '' AND length(actor) <= 200),
  reason    text NOT NULL CHECK (reason <> '' AND length(reason) <= 200),
  at        timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (model, version) REFERENCES versions (model, version)
);
CREATE INDEX version_holds_by_version ON version_holds (model, version);
COMMENT ON TABLE version_holds IS 'Append-only: legal holds and their releases';
COMMENT ON COLUMN version_holds.releases IS 'The hold that this row ends; null: this row is a hold';
CREATE TRIGGER version_holds_append_only BEFORE UPDATE OR DELETE ON version_holds
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE adapter_drops (
  model           text NOT NULL,
  version         integer NOT NULL,
  adapter_uri     text NOT NULL,
  adapter_sha256  text NOT NULL,
  actor           text NOT NULL CHECK (actor <> '' AND length(actor) <= 200),
  reason          text NOT NULL CHECK (reason <> '' AND length(reason) <= 200),
  policy_digest   text NOT NULL,
  dropped_at      timestamptz NOT NULL,
  PRIMARY KEY (model, version),
  FOREIGN KEY (model, version) REFERENCES versions (model, version)
);
COMMENT ON TABLE adapter_drops IS 'Append-only: whose adapter was dropped, when, by whom and under which rule';
CREATE TRIGGER adapter_drops_append_only BEFORE UPDATE OR DELETE ON adapter_drops
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Whoever drops holds a share of the route's row, and whoever moves the route has it for itself: each sees what the other did.
CREATE FUNCTION route_has_adapters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM versions v WHERE v.model = NEW.model AND v.adapter_dropped_at IS NOT NULL
                AND v.version IN (NEW.champion, NEW.previous, NEW.challenger)) THEN
    RAISE EXCEPTION 'route of % must not lead to a version whose adapter was dropped', NEW.model USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER routes_have_adapters BEFORE INSERT OR UPDATE ON routes
  FOR EACH ROW EXECUTE FUNCTION route_has_adapters();
