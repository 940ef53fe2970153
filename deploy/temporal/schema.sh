#!/bin/sh
# Creates or updates Temporal's two databases. Safe to run again: each step looks at what is there.
set -eu
for database in temporal temporal_visibility; do
  folder=temporal
  [ "$database" = temporal ] || folder=visibility
  tool() { temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user "$POSTGRES_USER" --password "$POSTGRES_PWD" --db "$database" "$@"; }
  tool create || true
  tool setup-schema -v 0.0 || true
  tool update-schema -d "/etc/temporal/schema/postgresql/v12/$folder/versioned"
done
