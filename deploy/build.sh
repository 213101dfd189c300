#!/usr/bin/env bash
# Builds the images of the four services as NAME_PREFIX/SERVICE:TAG.
#
#   deploy/build.sh [SERVICE...]          all four unless some are named
#
# NAME_PREFIX     parfocal          TAG        latest
# BASE_IMAGE, BUILD_IMAGE, PROVIDER, NPM_REGISTRY     build arguments of deploy/Dockerfile, its defaults where unset
# VERSION         of package.json
# REVISION        of the checkout, with a "+" when it differs from its commit; models keep it as what made them
set -euo pipefail
cd "$(dirname "$0")/.."

services=("$@")
if [ ${#services[@]} -eq 0 ]; then services=(gateway reembed aggregate pretrain); fi

revision() {
  git rev-parse HEAD 2>/dev/null | tr -d '\n' || { printf unknown; return; }
  if [ -n "$(git status --porcelain 2>/dev/null)" ]; then printf +; fi
}

revision="${REVISION:-$(revision)}"
arguments=(
  --build-arg "REVISION=$revision"
  --label "org.opencontainers.image.revision=$revision"
  --label "org.opencontainers.image.version=${VERSION:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}"
  --label "org.opencontainers.image.created=${CREATED:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}"
)
for name in BASE_IMAGE BUILD_IMAGE PROVIDER NPM_REGISTRY; do
  if [ -n "${!name:-}" ]; then arguments+=(--build-arg "$name=${!name}"); fi
done

for service in "${services[@]}"; do
  image="${NAME_PREFIX:-parfocal}/$service:${TAG:-latest}"
  echo "build: $image" >&2
  docker build -q -f deploy/Dockerfile --target "$service" -t "$image" "${arguments[@]}" . >&2
done
