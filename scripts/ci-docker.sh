#!/usr/bin/env bash
# Gives the integration tests a Docker engine and a MinIO image on a bare Debian machine, as root.
#
# Prints `export` lines on standard output and everything else on standard error, so that a caller runs
#   eval "$(scripts/ci-docker.sh)"
# The same lines are left in $PARFOCAL_CACHE/docker.env. Running it again reuses the engine, the image and the binary.
#
# PARFOCAL_TEST_MINIO_IMAGE  image name (default below); pulled if it can be, else built under the same name
# PARFOCAL_MINIO_VERSION     module version to build
# PARFOCAL_CACHE             where the binary, the engine's log and docker.env are kept (default ~/.cache/parfocal)
set -euo pipefail

cache="${PARFOCAL_CACHE:-$HOME/.cache/parfocal}"
image="${PARFOCAL_TEST_MINIO_IMAGE:-minio/minio:RELEASE.2025-09-07T16-13-09Z}"
# The last commit of the archived repository that the module proxy has; its releases are not module versions.
version="${PARFOCAL_MINIO_VERSION:-v0.0.0-20260212201848-7aac2a2c5b7c}"
log="$cache/dockerd.log"
binary="$cache/minio/$version/minio"
export DOCKER_BUILDKIT=0 DEBIAN_FRONTEND=noninteractive

say() { echo "ci-docker: $*" >&2; }

is_apt_updated=""
apt_install() {
  if [ -z "$is_apt_updated" ]; then apt-get update -qq >&2; fi
  is_apt_updated=yes
  say "installing $*"
  apt-get install -y -qq --no-install-recommends "$@" >&2
}

start_engine() {
  if docker info >/dev/null 2>&1; then say "using the engine that runs"; return; fi
  command -v dockerd >/dev/null || apt_install docker.io iptables ca-certificates
  say "starting dockerd, log in $log"
  setsid nohup dockerd --ip 127.0.0.1 >"$log" 2>&1 </dev/null &
  for _ in $(seq 60); do
    if docker info >/dev/null 2>&1; then return; fi
    sleep 1
  done
  say "dockerd was not ready after 60 s; the end of its log:"
  tail -n 20 "$log" >&2
  exit 1
}

build_binary() {
  if [ -x "$binary" ]; then say "using the MinIO binary of $version"; return; fi
  command -v go >/dev/null || apt_install golang ca-certificates
  say "building MinIO $version (some minutes)"
  mkdir -p "$(dirname "$binary")"
  # From a folder without a module, so that go install takes the module's own requirements.
  (cd "$(dirname "$binary")" && GOBIN="$PWD" GOFLAGS=-buildvcs=false CGO_ENABLED=0 nice -n 10 \
    go install -trimpath -ldflags '-s -w' "github.com/minio/minio@$version") >&2
}

build_image() {
  build_binary
  local context
  context="$(mktemp -d)"
  cp "$binary" "$context/minio"
  # The published image also takes `server /data` as its command.
  printf 'FROM scratch\nCOPY minio /minio\nEXPOSE 9000\nENTRYPOINT ["/minio"]\n' >"$context/Dockerfile"
  docker build -q -t "$image" "$context" >&2
  rm -rf "$context"
}

mkdir -p "$cache"
start_engine
if docker image inspect "$image" >/dev/null 2>&1; then
  say "using the image $image that is here"
elif timeout 300 docker pull -q "$image" >&2; then
  say "pulled $image"
else
  say "cannot pull $image: building it"
  build_image
fi

# Published ports are on 127.0.0.1 (--ip), and the reaper's image cannot be pulled everywhere.
cat >"$cache/docker.env" <<ENV
export PARFOCAL_TEST_MINIO_IMAGE='$image'
export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1
export TESTCONTAINERS_RYUK_DISABLED=true
export DOCKER_BUILDKIT=0
ENV
cat "$cache/docker.env"
