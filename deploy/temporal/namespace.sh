#!/bin/sh
# Makes the namespace when it is missing. Histories are kept 30 days after a cycle has ended.
set -eu
until temporal operator cluster health; do sleep 2; done
temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" ||
  temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention 30d
