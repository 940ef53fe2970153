-- A cycle keeps the rule it froze: the default of `experiment.test` was `fixed` when these were opened, and was left out.
UPDATE cycles
   SET policy = jsonb_set(policy, '{experiment}', coalesce(policy -> 'experiment', '{}') || '{"test": "fixed"}')
 WHERE NOT coalesce(policy -> 'experiment' ? 'test', false);
