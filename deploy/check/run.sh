#!/usr/bin/env bash
# Checks deploy/ without a cluster or a compose engine; needs Go. The first time it builds for some minutes.
set -euo pipefail
cd "$(dirname "$0")"
export GOFLAGS="${GOFLAGS:-} -mod=readonly"

test -z "$(gofmt -l . | tee /dev/stderr)"
# Never from the cache: it does not see changes of files outside this module, and those are what is tested.
nice -n 10 go test -count=1 ./...
go run . ..
