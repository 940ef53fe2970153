-- Outcomes of live experiments added up as they arrive: a look and the watch loop read sums, not rows.

-- Whose outcomes may have changed; append-only, deleted when the subject has been counted anew. Counting anew gives the
-- same however often it is done, so neither order nor number of the entries matters.
CREATE TABLE outcome_changes (
  experiment_id  uuid NOT NULL,
  id             bigint GENERATED ALWAYS AS IDENTITY,
  subject        text NOT NULL,
  PRIMARY KEY (experiment_id, id)
);

-- A cut of an experiment whose sums are kept: without a feedback window for the watch loop, with it for the looks.
CREATE TABLE outcome_cuts (
  experiment_id       uuid NOT NULL,
  feedback_window_ms  bigint NOT NULL CHECK (feedback_window_ms >= 0),
  min_rating          double precision NOT NULL,
  -- When the sums were last compared with a full recount, or made.
  reconciled_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (experiment_id, feedback_window_ms)
);

-- What a subject adds to the sums of a cut. It is so at every moment from valid_from until before valid_until, as long as no
-- entry of outcome_changes names the subject.
CREATE TABLE outcome_subjects (
  experiment_id       uuid NOT NULL,
  feedback_window_ms  bigint NOT NULL,
  subject             text NOT NULL,
  -- Of the first exposure; null: not in the cut.
  arm                 text CHECK (arm IN ('champion', 'second')),
  crossed             boolean NOT NULL,
  e                   integer NOT NULL,
  m                   integer NOT NULL,
  x                   numeric NOT NULL,
  -- Requests are of the arm under which they ran, whatever the subject's is.
  requests            integer NOT NULL,
  errors              integer NOT NULL,
  second_requests     integer NOT NULL,
  second_errors       integer NOT NULL,
  valid_from          timestamptz NOT NULL,
  valid_until         timestamptz NOT NULL,
  PRIMARY KEY (experiment_id, subject, feedback_window_ms)
);
CREATE INDEX outcome_subjects_by_valid_from ON outcome_subjects (experiment_id, feedback_window_ms, valid_from);
CREATE INDEX outcome_subjects_due ON outcome_subjects (experiment_id, feedback_window_ms, valid_until) WHERE valid_until < 'infinity';

-- The rows of outcome_subjects added up, by arm; moved in the statement that moves them. Names as in the looks.
CREATE TABLE outcome_sums (
  experiment_id       uuid NOT NULL,
  feedback_window_ms  bigint NOT NULL,
  arm                 text NOT NULL CHECK (arm IN ('champion', 'second')),
  "O"                 bigint NOT NULL DEFAULT 0,
  crossed             bigint NOT NULL DEFAULT 0,
  "S"                 bigint NOT NULL DEFAULT 0,
  "N"                 bigint NOT NULL DEFAULT 0,
  "E"                 bigint NOT NULL DEFAULT 0,
  n                   bigint NOT NULL DEFAULT 0,
  x                   numeric NOT NULL DEFAULT 0,
  m2                  bigint NOT NULL DEFAULT 0,
  x2                  numeric NOT NULL DEFAULT 0,
  xm                  numeric NOT NULL DEFAULT 0,
  e2                  bigint NOT NULL DEFAULT 0,
  em                  bigint NOT NULL DEFAULT 0,
  requests            bigint NOT NULL DEFAULT 0,
  errors              bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (experiment_id, feedback_window_ms, arm)
) WITH (fillfactor = 50);

-- Whoever writes, changes or deletes a row that an outcome can depend on notes its subject in the same transaction, so that
-- at every moment a subject is either counted as it is or noted. By triggers, because one writer that forgets it is enough.
-- Interactions by row: where rows are copied in, a statement's trigger that sees them would make Postgres copy them one by one.
CREATE FUNCTION note_interaction_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.experiment_id IS NOT NULL AND OLD.subject IS NOT NULL THEN
    INSERT INTO outcome_changes (experiment_id, subject) VALUES (OLD.experiment_id, OLD.subject);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.experiment_id IS NOT NULL AND NEW.subject IS NOT NULL THEN
    INSERT INTO outcome_changes (experiment_id, subject) VALUES (NEW.experiment_id, NEW.subject);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER interactions_note_insert AFTER INSERT ON interactions
  FOR EACH ROW WHEN (NEW.experiment_id IS NOT NULL) EXECUTE FUNCTION note_interaction_change();
CREATE TRIGGER interactions_note_update AFTER UPDATE ON interactions
  FOR EACH ROW WHEN (OLD.experiment_id IS NOT NULL OR NEW.experiment_id IS NOT NULL) EXECUTE FUNCTION note_interaction_change();
CREATE TRIGGER interactions_note_delete AFTER DELETE ON interactions
  FOR EACH ROW WHEN (OLD.experiment_id IS NOT NULL) EXECUTE FUNCTION note_interaction_change();

-- The settings: the plan is kept for the session, and one made for many rows or small tables must not stay for one row and large ones.
CREATE FUNCTION note_feedback_change() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  -- An experiment is there long before the first interaction in it.
  IF EXISTS (SELECT FROM experiments WHERE ended_at IS NULL) THEN
    INSERT INTO outcome_changes (experiment_id, subject)
    SELECT DISTINCT i.experiment_id, i.subject
      FROM changed JOIN interactions i ON i.id = changed.interaction_id
     WHERE i.experiment_id IS NOT NULL AND i.subject IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER feedback_note_insert AFTER INSERT ON feedback REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_feedback_change();
CREATE TRIGGER feedback_note_update AFTER UPDATE ON feedback REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_feedback_change();
CREATE TRIGGER feedback_note_delete AFTER DELETE ON feedback REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_feedback_change();

CREATE FUNCTION note_exposure_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outcome_changes (experiment_id, subject) SELECT DISTINCT experiment_id, subject FROM changed;
  RETURN NULL;
END $$;
CREATE TRIGGER exposures_note_insert AFTER INSERT ON exposures REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_exposure_change();
CREATE TRIGGER exposures_note_update AFTER UPDATE ON exposures REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_exposure_change();
CREATE TRIGGER exposures_note_delete AFTER DELETE ON exposures REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_exposure_change();
