-- A subject's row is looked up by the primary key. Before autovacuum had looked at the table, Postgres took the index by
-- valid_from for it instead, and read the whole experiment for every subject. On an expression it is of use to nobody but
-- the one query that spells the same expression.
DROP INDEX outcome_subjects_by_valid_from;
CREATE INDEX outcome_subjects_by_valid_from ON outcome_subjects ((- feedback_window_ms), experiment_id, valid_from);
