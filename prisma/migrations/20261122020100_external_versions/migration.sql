-- Versions that were made elsewhere say who brought them, and why.
ALTER TABLE versions
  ADD COLUMN registered_by     text CHECK (registered_by <> '' AND length(registered_by) <= 200),
  ADD COLUMN registered_reason text CHECK (length(registered_reason) <= 200),
  ADD CONSTRAINT versions_registered_check CHECK ((registered_by IS NULL) = (registered_reason IS NULL));
COMMENT ON COLUMN versions.registered_by IS 'Who registered a version that was made elsewhere; null: it was made here';
COMMENT ON COLUMN versions.registered_reason IS 'Why';
