-- Budgets and rotation of keys. A key and its successors form a family: they share one budget, so that a rotation neither
-- doubles nor resets it.

ALTER TABLE keys
  ADD COLUMN prefix               text CHECK (length(prefix) <= 12),
  ADD COLUMN family               uuid REFERENCES keys (id),
  ADD COLUMN successor_of         uuid UNIQUE REFERENCES keys (id),
  ADD COLUMN requests_per_minute  integer CHECK (requests_per_minute > 0),
  ADD COLUMN tokens_per_day       bigint CHECK (tokens_per_day > 0),
  ADD COLUMN expires_at           timestamptz,
  ADD COLUMN last_used_at         timestamptz;

UPDATE keys SET family = id;
ALTER TABLE keys ALTER COLUMN family SET NOT NULL;

COMMENT ON COLUMN keys.prefix IS 'First characters of the key, to tell keys apart in lists; null for keys made before it was kept';
COMMENT ON COLUMN keys.family IS 'The first key of a chain of rotations; the chain shares one budget';
COMMENT ON COLUMN keys.successor_of IS 'The key that this one replaces; at most one successor';
COMMENT ON COLUMN keys.requests_per_minute IS 'Null: no limit';
COMMENT ON COLUMN keys.tokens_per_day IS 'Prompt and completion tokens of a UTC day; null: no limit';
COMMENT ON COLUMN keys.expires_at IS 'From then on the key is refused; null: never';
COMMENT ON COLUMN keys.last_used_at IS 'Coarse: written every half minute';

-- What the gateways have counted for keys with a budget; each adds what it saw and reads back the sum.
CREATE TABLE key_usage (
  family    uuid NOT NULL REFERENCES keys (id),
  day       date NOT NULL,
  tokens    bigint NOT NULL CHECK (tokens >= 0),
  requests  bigint NOT NULL CHECK (requests >= 0),
  PRIMARY KEY (family, day)
);
COMMENT ON TABLE key_usage IS 'Tokens and requests of a family of keys in a UTC day, over all gateways';
