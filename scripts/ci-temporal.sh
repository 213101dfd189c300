#!/usr/bin/env bash
# Gives the integration tests a Temporal development server: builds the Temporal CLI from the Go module proxy, once.
#
# Prints an `export` line on standard output and everything else on standard error, so that a caller runs
#   eval "$(scripts/ci-temporal.sh)"
# The tests find the binary in the cache without it too. Needs Go 1.25 or newer on PATH, in /usr/local/go, or from Debian.
#
# PARFOCAL_TEMPORAL_CLI_VERSION  module version to build: the newest that is one module without replacements
# PARFOCAL_CACHE                 where the binary is kept (default ~/.cache/parfocal)
set -euo pipefail

cache="${PARFOCAL_CACHE:-$HOME/.cache/parfocal}"
version="${PARFOCAL_TEMPORAL_CLI_VERSION:-v1.5.1}"
binary="$cache/temporal/$version/temporal"

say() { echo "ci-temporal: $*" >&2; }

find_go() {
  if command -v go >/dev/null; then return; fi
  if [ -x /usr/local/go/bin/go ]; then export PATH="/usr/local/go/bin:$PATH"; return; fi
  say "installing golang"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends golang ca-certificates >&2
}

if [ -x "$binary" ]; then
  say "using the Temporal CLI $version that is here"
else
  find_go
  say "building the Temporal CLI $version (some minutes)"
  mkdir -p "$(dirname "$binary")"
  # From a folder without a module, so that go install takes the module's own requirements.
  (cd "$(dirname "$binary")" && GOBIN="$PWD" GOFLAGS=-buildvcs=false CGO_ENABLED=0 nice -n 10 \
    go install -trimpath -ldflags '-s -w' "github.com/temporalio/cli/cmd/temporal@$version") >&2
fi
echo "export PARFOCAL_TEST_TEMPORAL_CLI='$binary'"
