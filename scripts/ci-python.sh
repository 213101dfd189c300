#!/usr/bin/env bash
# Gives the tests a Python with the packages of test/requirements.txt, in a virtual environment outside the repository.
#
# Prints an `export` line on standard output and everything else on standard error, so that a caller runs
#   eval "$(scripts/ci-python.sh)"
# Running it again reuses the environment of the same requirements.
#
# Needs python3 with venv (Debian: python3-venv).
#
# PARFOCAL_CACHE  where environments are kept (default ~/.cache/parfocal)
set -euo pipefail

requirements="$(cd "$(dirname "$0")/.." && pwd)/test/requirements.txt"
folder="${PARFOCAL_CACHE:-$HOME/.cache/parfocal}/python/$(sha256sum "$requirements" | cut -c 1-12)"

say() { echo "ci-python: $*" >&2; }

if [ -e "$folder/complete" ]; then
  say "using the environment that is here"
else
  say "making an environment"
  rm -rf "$folder"
  python3 -m venv "$folder" >&2
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  touch "$folder/complete"
fi
echo "export PARFOCAL_TEST_PYTHON='$folder/bin/python'"
