-- A rollback to what is champion already moves nothing, and so leaves no route change. Its request id is remembered all the
-- same: sent again later, by a client that never heard the answer, it must not move the route after all.
CREATE TABLE unmoved_requests (
  model       text NOT NULL REFERENCES models (name),
  request_id  text NOT NULL,
  version     integer NOT NULL,
  epoch       integer NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (model, request_id)
);
COMMENT ON TABLE unmoved_requests IS 'Requests to roll back that found the version in charge';
COMMENT ON COLUMN unmoved_requests.version IS 'The champion, which was asked for';
COMMENT ON COLUMN unmoved_requests.epoch IS 'Of the route at that moment';
