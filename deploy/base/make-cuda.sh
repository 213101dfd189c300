#!/usr/bin/env bash
# Makes the base image of the images for CUDA 12 where NVIDIA's cannot be pulled: BASE_IMAGE and the libraries of cuda12.txt.
#
#   deploy/base/make-cuda.sh BASE_IMAGE CUDA_IMAGE
#
# The libraries come from the Python package index that pip is set up for, and are taken only with the digests of
# cuda12.txt. They lie in /usr/local/cuda/lib64, which the loader knows, beside NVIDIA's licences in /usr/local/cuda/licenses;
# nothing of Python goes into the image. Needs x86_64, Python with pip, and 9 GB of disk for a while. libcuda.so.1 is the driver's.
set -euo pipefail
cd "$(dirname "$0")/../.."

base="${1:?name of the image to start from}"
image="${2:?name of the image to make}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export DOCKER_BUILDKIT=0

say() { echo "make-cuda: $*" >&2; }

fetch_wheels() {
  say "fetching the wheels of cuda12.txt"
  nice -n 10 python3 -m pip install --quiet --root-user-action=ignore --no-cache-dir --no-compile --no-deps \
    --only-binary=:all: --require-hashes --target "$folder/wheels" -r deploy/base/cuda12.txt >&2
}

# Keeps libraries and licences. libcusolverMg and the second build of NVRTC are 300 MB that neither runtime loads.
collect_files() {
  local info name
  mkdir -p "$folder/cuda/lib64" "$folder/cuda/licenses"
  mv "$folder"/wheels/nvidia/*/lib/*.so* "$folder/cuda/lib64"
  rm "$folder"/cuda/lib64/libcusolverMg.so.* "$folder"/cuda/lib64/*.alt.so.*
  for info in "$folder"/wheels/*.dist-info; do
    name="$(basename "$info" .dist-info)"
    cp "$(find "$info" -name License.txt)" "$folder/cuda/licenses/$name.txt"
  done
  rm -rf "$folder/wheels"
  chmod -R a+rX,go-w "$folder/cuda"
}

# The two settings are what NVIDIA's own images have: its container runtime brings the driver to images that ask for it.
write_dockerfile() {
  cat >"$folder/Dockerfile" <<DOCKERFILE
FROM $base
COPY cuda /usr/local/cuda
RUN echo /usr/local/cuda/lib64 >/etc/ld.so.conf.d/cuda.conf && ldconfig \
  && needs="\$(ldd /usr/local/cuda/lib64/*)" && ! { echo "\$needs" | grep 'not found' | grep -v 'libcuda\.so\.1'; }
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
DOCKERFILE
}

fetch_wheels
collect_files
write_dockerfile
say "adding CUDA 12 to $base"
docker build -q -t "$image" "$folder" >&2
