-- Mirrors: what others are told of route changes and cycles. Derived from what is stored, by a loop of its own: nothing here
-- is written by whoever moves a route or ends a cycle.

CREATE TABLE mirror_cursors (
  model  text PRIMARY KEY REFERENCES models (name),
  epoch  integer NOT NULL CHECK (epoch >= 0),
  since  timestamptz NOT NULL
);
COMMENT ON TABLE mirror_cursors IS 'How far the changes of a model have become events';
COMMENT ON COLUMN mirror_cursors.epoch IS 'Route changes up to this one are events, or older than the mirrors';
COMMENT ON COLUMN mirror_cursors.since IS 'Cycles that ended earlier are older than the mirrors';

CREATE TABLE mirror_events (
  id          uuid PRIMARY KEY,
  seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  model       text NOT NULL REFERENCES models (name),
  kind        text NOT NULL,
  key         text NOT NULL UNIQUE,
  body        jsonb NOT NULL,
  created_at  timestamptz NOT NULL
);
COMMENT ON COLUMN mirror_events.key IS 'What happened; the id follows from it, so that an event is made once';
COMMENT ON COLUMN mirror_events.body IS 'As it is sent, the same at every attempt';

CREATE TABLE mirror_deliveries (
  event_id      uuid NOT NULL REFERENCES mirror_events (id),
  model         text NOT NULL REFERENCES models (name),
  mirror        text NOT NULL,
  state         text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
  attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  next_at       timestamptz NOT NULL,
  last_error    text CHECK (length(last_error) <= 200),
  delivered_at  timestamptz,
  PRIMARY KEY (event_id, mirror)
);
CREATE INDEX mirror_deliveries_due ON mirror_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX mirror_deliveries_by_mirror ON mirror_deliveries (model, mirror);
COMMENT ON COLUMN mirror_deliveries.mirror IS 'Its name in the policy';
COMMENT ON COLUMN mirror_deliveries.next_at IS 'Not before; while an attempt is under way, when it is taken for lost';
