-- What an outcome is may differ from experiment to experiment: the terms of a cut say it. What was kept is made anew.
DELETE FROM outcome_cuts;
DELETE FROM outcome_sums;
DELETE FROM outcome_subjects;
ALTER TABLE outcome_cuts DROP COLUMN min_rating, ADD COLUMN terms jsonb NOT NULL;
