-- How far an import of a file came that was interrupted; gone when it is through.
CREATE TABLE imports (
  file        bytea NOT NULL PRIMARY KEY,
  lines       bigint NOT NULL,
  counts      jsonb NOT NULL,
  updated_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN imports.file IS 'SHA-256 of the size, time and both ends of the file and of how it is read';
COMMENT ON COLUMN imports.lines IS 'all lines up to here are stored or refused';
