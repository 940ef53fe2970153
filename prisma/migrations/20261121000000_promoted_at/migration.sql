-- When the newest change of the route was a promotion: conversations that were under way then stay on their version for
-- a while. Null as soon as the route moves again, so that a rollback or a harm stop reaches everybody at once.
ALTER TABLE routes ADD COLUMN promoted_at timestamptz;
