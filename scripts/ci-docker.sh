#!/usr/bin/env bash
# Gives the integration tests a Docker engine, images of two S3 servers, and the services' own images on a bare Debian
# machine, as root.
#
# Prints `export` lines on standard output and everything else on standard error, so that a caller runs
#   eval "$(scripts/ci-docker.sh)"
# The same lines are left in $PARFOCAL_CACHE/docker.env. Running it again reuses the engine, the images and the binaries;
# the services' images are built again, from the engine's cache as far as nothing changed.
#
# PARFOCAL_TEST_MINIO_IMAGE, PARFOCAL_TEST_VERSITYGW_IMAGE   images of the servers (defaults below); pulled if they can
#                                be, else built under the same names
# PARFOCAL_MINIO_VERSION, PARFOCAL_VERSITYGW_VERSION   module versions to build
# BASE_IMAGE, BUILD_IMAGE        what the services' images are made of; pulled if they can be, else bootstrapped
# PARFOCAL_CACHE                 where binaries, the engine's log and docker.env are kept (default ~/.cache/parfocal)
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${PARFOCAL_CACHE:-$HOME/.cache/parfocal}"
minio="${PARFOCAL_TEST_MINIO_IMAGE:-minio/minio:RELEASE.2025-09-07T16-13-09Z}"
# The last commit of the archived repository that the module proxy has; its releases are not module versions.
minio_version="${PARFOCAL_MINIO_VERSION:-v0.0.0-20260212201848-7aac2a2c5b7c}"
versitygw="${PARFOCAL_TEST_VERSITYGW_IMAGE:-versity/versitygw:v1.8.0}"
versitygw_version="${PARFOCAL_VERSITYGW_VERSION:-v1.8.0}"
export BASE_IMAGE="${BASE_IMAGE:-debian:trixie-20260918-slim}" BUILD_IMAGE="${BUILD_IMAGE:-node:24.21.0-trixie-slim}"
log="$cache/dockerd.log"
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

# build_binary NAME VERSION MODULE: leaves the program at $cache/NAME/VERSION/NAME.
build_binary() {
  local folder="$cache/$1/$2"
  if [ -x "$folder/$1" ]; then say "using the $1 of $2"; return; fi
  command -v go >/dev/null || apt_install golang ca-certificates
  say "building $1 $2 (some minutes)"
  mkdir -p "$folder"
  # From a folder without a module, so that go install takes the module's own requirements.
  (cd "$folder" && GOBIN="$PWD" GOFLAGS=-buildvcs=false CGO_ENABLED=0 nice -n 10 \
    go install -trimpath -ldflags '-s -w' "$3@$2") >&2
}

# server_image IMAGE NAME VERSION MODULE PORT: the image, pulled or made of nothing but the program. The published images
# take the same commands and keep their data in /data as well.
server_image() {
  if have_image "$1"; then return; fi
  build_binary "$2" "$3" "$4"
  local context
  context="$(mktemp -d)"
  mkdir "$context/data"
  cp "$cache/$2/$3/$2" "$context/$2"
  printf 'FROM scratch\nCOPY %s /%s\nCOPY data /data\nVOLUME /data\nEXPOSE %s\nENTRYPOINT ["/%s"]\n' "$2" "$2" "$5" "$2" \
    >"$context/Dockerfile"
  docker build -q -t "$1" "$context" >&2
  rm -rf "$context"
}

have_image() {
  if docker image inspect "$1" >/dev/null 2>&1; then say "using the image $1 that is here"; return; fi
  if timeout 300 docker pull -q "$1" >&2; then say "pulled $1"; return; fi
  say "cannot pull $1: making it"
  return 1
}

service_images() {
  if ! { have_image "$BASE_IMAGE" && have_image "$BUILD_IMAGE"; }; then
    command -v debootstrap >/dev/null || apt_install debootstrap
    deploy/base/make-base.sh "$BASE_IMAGE" "$BUILD_IMAGE"
  fi
  say "building the services' images"
  if [ "${CI:-}" != true ]; then TAG=test nice -n 5 deploy/build.sh; return; fi
  # From the commit: the checks that run beside this write generated files anew, in place.
  local tree
  tree="$(mktemp -d)"
  git archive HEAD | tar -x -C "$tree"
  REVISION="$(git rev-parse HEAD)" TAG=test nice -n 5 "$tree/deploy/build.sh"
  rm -rf "$tree"
}

mkdir -p "$cache"
start_engine
server_image "$minio" minio "$minio_version" github.com/minio/minio 9000
server_image "$versitygw" versitygw "$versitygw_version" github.com/versity/versitygw/cmd/versitygw 7070
service_images

# Published ports are on 127.0.0.1 (--ip), and the reaper's image cannot be pulled everywhere.
cat >"$cache/docker.env" <<ENV
export PARFOCAL_TEST_MINIO_IMAGE='$minio'
export PARFOCAL_TEST_VERSITYGW_IMAGE='$versitygw'
export PARFOCAL_TEST_IMAGES='parfocal/{}:test'
export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1
export TESTCONTAINERS_RYUK_DISABLED=true
export DOCKER_BUILDKIT=0
ENV
cat "$cache/docker.env"
