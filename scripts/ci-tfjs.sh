#!/usr/bin/env bash
# Gives the integration tests the package @tensorflow/tfjs-node-gpu, in node_modules, with TensorFlow for the processor.
#
# Not before `npm test`: the unit tests check what a trainer says where the package is missing. Says what it does on standard
# error. Needs what deploy/tfjs/build.sh needs: g++, npm, python3 with pip or venv; by apt, as root, what is missing.
#
#   scripts/ci-tfjs.sh           puts it there; a package that was made of the same files is used again
#   scripts/ci-tfjs.sh --remove  takes it away
#
# TENSORFLOW      cpu, or gpu where there is one
# PARFOCAL_CACHE  where packages are kept (default ~/.cache/parfocal)
set -euo pipefail
cd "$(dirname "$0")/.."

export TENSORFLOW="${TENSORFLOW:-cpu}"
target=node_modules/@tensorflow/tfjs-node-gpu
digest="$(cat deploy/tfjs/build.sh deploy/tfjs/package-lock.json | sha256sum | cut -c 1-12)"
kept="${PARFOCAL_CACHE:-$HOME/.cache/parfocal}/tfjs/$digest-$TENSORFLOW"

say() { echo "ci-tfjs: $*" >&2; }

rm -rf "$target"
if [ "${1:-}" = --remove ]; then exit 0; fi

if [ -d "$kept" ]; then
  say "using the package that is here"
else
  if ! { command -v g++ && python3 -c 'import venv, ensurepip'; } >/dev/null 2>&1; then
    say "installing g++ and python3"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends g++ python3 python3-venv ca-certificates >&2
  fi
  nice -n 10 deploy/tfjs/build.sh "$kept"
fi
# Links where both lie on one disk, else a copy; not a symbolic link, as the package must find the tfjs beside it.
cp -al "$kept" "$target" 2>/dev/null || { rm -rf "$target"; cp -a "$kept" "$target"; }
