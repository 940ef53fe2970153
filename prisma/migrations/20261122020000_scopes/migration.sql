-- Two parts of `operate` that can be given apart: `run` keeps cycles going, `approve` says which version answers.
ALTER TABLE keys DROP CONSTRAINT keys_scopes_check;
ALTER TABLE keys ADD CONSTRAINT keys_scopes_check
  CHECK (scopes <> '{}' AND scopes <@ ARRAY['ingest', 'serve', 'read', 'run', 'approve', 'operate', 'admin']);
