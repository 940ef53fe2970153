-- Feedback parked under the id of an interaction not seen yet: whether there is any is asked with every write.
CREATE INDEX feedback_without_model ON feedback (interaction_id) WHERE model IS NULL;
