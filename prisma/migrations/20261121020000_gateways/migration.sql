-- The gateways that follow the routes, and how far each of them is: what a promotion or rollback with --wait waits for.
-- A gateway gives a sign of life every second, and takes its row away when it stops. Nothing refers to it.
CREATE TABLE gateways (
  id          uuid PRIMARY KEY,
  name        text NOT NULL CHECK (name <> '' AND length(name) <= 200),
  epochs      jsonb NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  seen_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN gateways.name IS 'Host and process, for people';
COMMENT ON COLUMN gateways.epochs IS 'By model: the epoch of the route from which every request is answered that begins now';
