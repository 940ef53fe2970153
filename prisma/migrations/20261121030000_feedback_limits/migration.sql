-- How much feedback of source `user` was given by one giver on one day (UTC): for the limit of the policy. Counted by the
-- transaction that inserts the feedback. giver: hash of the subject; `interaction …` while there is none to be known.
-- Rows of past days are deleted by the sweep.
CREATE TABLE feedback_days (
  day    date NOT NULL,
  model  text NOT NULL,
  giver  text NOT NULL,
  given  integer NOT NULL CHECK (given >= 0),
  PRIMARY KEY (day, model, giver)
);

-- What waits for its interaction, by age: the sweep ends the wait.
CREATE INDEX feedback_waiting ON feedback (received_at) WHERE interaction_id IS NULL OR model IS NULL;
