-- A version that answers copies of a model's requests unseen. Not part of the route: it decides nothing about who answers.
CREATE TABLE shadows (
  model       text PRIMARY KEY REFERENCES models (name),
  version     integer NOT NULL,
  -- Of the requests, chosen by their ids.
  share       double precision NOT NULL CHECK (share > 0 AND share <= 1),
  ends_at     timestamptz NOT NULL,
  actor       text NOT NULL,
  reason      text NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

-- What a shadow answered. A table of its own, so that nothing that counts, judges or learns from interactions can meet it.
CREATE TABLE shadow_answers (
  -- Of the interaction whose request it is.
  id                 uuid NOT NULL,
  model              text NOT NULL,
  version            integer NOT NULL,
  status             text NOT NULL CHECK (status IN ('complete', 'failed')),
  response           jsonb,
  -- Why there is no answer; never a text of a conversation.
  failure            text,
  latency_ms         integer NOT NULL CHECK (latency_ms >= 0),
  prompt_tokens      integer,
  completion_tokens  integer,
  PRIMARY KEY (id, version)
) PARTITION BY RANGE (id);
CREATE INDEX shadow_answers_by_version ON shadow_answers (model, version, id);
CREATE TABLE shadow_answers_default PARTITION OF shadow_answers DEFAULT;
SELECT ensure_month_partition('shadow_answers', now() + m * interval '1 month') FROM generate_series(-1, 2) m;
