-- Interactions of an experiment that were drawn by chance to be graded blindly. A grader knows an item by its token only.
CREATE TABLE review_items (
  item            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  experiment_id   uuid NOT NULL REFERENCES experiments (id),
  interaction_id  uuid NOT NULL,
  -- The how-manieth draw of the experiment it came with, and what that draw was made from.
  draw            integer NOT NULL CHECK (draw > 0),
  seed            text NOT NULL,
  -- T: nothing asked or received later could be drawn.
  drawn_at        timestamptz NOT NULL,
  UNIQUE (experiment_id, interaction_id)
);
CREATE INDEX review_items_by_interaction ON review_items (interaction_id);
