#!/bin/sh
# Gives the onnxruntime-node under ./node_modules its provider, and takes the runtimes of other platforms away.
#
#   install.sh cpu|cuda12|cuda13
#
# deploy/Dockerfile runs it. The provider's libraries are taken from this script's folder; where none lie there, the
# installer of onnxruntime-node downloads those for CUDA 12. A provider of another version than the runtime ends the build:
# it would be refused, or crash, at the first start.
set -eu
provider="$1"
providers="$(cd "$(dirname "$0")" && pwd)"
cd node_modules/onnxruntime-node
binaries="bin/napi-v6/linux/$(node -p process.arch)"

fail() {
  echo "PROVIDER=$provider: $1 (deploy/providers/README.md)" >&2
  exit 1
}

keep_this_platform() {
  mv "$binaries" /kept
  rm -rf bin/napi-v6
  mkdir -p bin/napi-v6/linux
  mv /kept "$binaries"
}

add_libraries() {
  if ls "$providers"/*.so >/dev/null 2>&1; then cp "$providers"/*.so "$binaries"; return; fi
  [ "$provider" = cuda12 ] || fail "its libraries are not in deploy/providers"
  node script/install.js --onnxruntime-node-install=cuda12 ||
    fail "its libraries are not in deploy/providers, and the installer of onnxruntime-node cannot download them"
}

check_libraries() {
  version="$(node -p 'require("./package.json").version')"
  for library in cuda shared; do
    [ -f "$binaries/libonnxruntime_providers_$library.so" ] || fail "libonnxruntime_providers_$library.so is missing"
  done
  grep -aqF "$version" "$binaries/libonnxruntime_providers_cuda.so" ||
    fail "libonnxruntime_providers_cuda.so is not of version $version, which the lockfile has of onnxruntime-node"
}

keep_this_platform
case "$provider" in
  cpu) ;;
  cuda12 | cuda13) add_libraries; check_libraries ;;
  *) fail "not one of cpu, cuda12, cuda13" ;;
esac
