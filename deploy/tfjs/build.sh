#!/usr/bin/env bash
# Makes the package @tensorflow/tfjs-node-gpu for a Node and a CUDA that its makers did not publish it for.
#
#   deploy/tfjs/build.sh OUT              OUT becomes the package; put it at node_modules/@tensorflow/tfjs-node-gpu
#
# Its own installer downloads libtensorflow 2.9.1 (2022, CUDA 11) and a binding that there is none of for Node 22 or newer.
# Here the binding is compiled from the package's sources, against the libraries and headers of TensorFlow's wheel for Python,
# which have all of TensorFlow's C interface. At run time no Python is needed.
#
# TENSORFLOW  gpu (default): the wheel for CUDA 12 and cuDNN 9, which computes on the processor where it finds no GPU or not all
#             of CUDA; cpu: the wheel without CUDA, half as large
# WHEEL       the wheel as a file; default: beside this script, else downloaded by pip (PIP_INDEX_URL and the like hold)
#
# Needs g++, npm, binutils, and python3 with pip or venv; an x86-64 machine with glibc 2.27 or newer.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
out="${1:?the folder to make}"
kind="${TENSORFLOW:-gpu}"

# The package is that of libs/tensor's tfjs: two of them would not know each other's tensors.
tfjs_version=4.22.0
tfjs_integrity="sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw=="
# The newest TensorFlow. It is built with CUDA 12.5 and cuDNN 9 (build_info.py in the wheel), which any newer CUDA 12 stands in
# for, and the binding of 4.22 compiles and runs with it unchanged (test/integration/tfjs-node-gpu.test.ts).
tensorflow_version=2.21.0
case "$kind" in
  gpu) distribution=tensorflow digest=b3b95643c4e70eb925839938fb35cbe142f317ec84af6844ee61513713bb13c0 ;;
  cpu) distribution=tensorflow_cpu digest=dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb ;;
  *) echo "TENSORFLOW is $kind, none of gpu, cpu" >&2; exit 1 ;;
esac
wheel_name="$distribution-$tensorflow_version-cp312-cp312-manylinux_2_27_x86_64.whl"

say() { echo "tfjs: $*" >&2; }

if [ "$(uname -m)" != x86_64 ]; then say "TensorFlow's wheels have CUDA for x86-64 alone"; exit 1; fi
for tool in g++ npm python3 strip; do
  command -v "$tool" >/dev/null || { say "needs $tool"; exit 1; }
done

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# pip as it is, else from a virtual environment.
pip() {
  if python3 -m pip --version >/dev/null 2>&1; then python3 -m pip "$@"; return; fi
  [ -d "$work/venv" ] || python3 -m venv "$work/venv"
  "$work/venv/bin/pip" "$@"
}

fetch_wheel() {
  if [ -n "${WHEEL:-}" ]; then printf %s "$WHEEL"; return; fi
  if [ -e "$here/$wheel_name" ]; then printf %s "$here/$wheel_name"; return; fi
  say "downloading $wheel_name"
  pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --implementation cp --python-version 3.12 \
    --abi cp312 --platform manylinux_2_27_x86_64 --dest "$work" "$distribution==$tensorflow_version" >&2
  printf %s "$work/$wheel_name"
}

wheel="$(fetch_wheel)"
say "checking $wheel"
echo "$digest  $wheel" | sha256sum --check --quiet

say "unpacking libraries and headers"
python3 - "$wheel" "$work/wheel" <<'PYTHON'
import sys, zipfile
wheel, out = sys.argv[1:]
wanted = (
    "tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2",
    "tensorflow/THIRD_PARTY_NOTICES.txt", "tensorflow/include/LICENSE",
    "tensorflow/include/tensorflow/c/", "tensorflow/include/tensorflow/core/platform/ctstring",
    "tensorflow/include/tsl/platform/ctstring", "tensorflow/include/xla/tsl/c/",
)
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(out, [name for name in archive.namelist() if name.startswith(wanted)])
PYTHON
tensorflow="$work/wheel/tensorflow"

say "fetching @tensorflow/tfjs-node-gpu $tfjs_version and what it loads"
(cd "$work" && npm pack --silent "@tensorflow/tfjs-node-gpu@$tfjs_version" >/dev/null)
tarball="$work/tensorflow-tfjs-node-gpu-$tfjs_version.tgz"
base64 -d <<<"${tfjs_integrity#sha512-}" | od -An -v -tx1 | tr -d ' \n' | sed "s|\$|  $tarball|" | sha512sum --check --quiet
tar -xzf "$tarball" -C "$work"
package="$work/package"
# Packages of its own lie below it; tfjs does not, it is the one that the stage has.
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$work"
(cd "$work" && npm ci --ignore-scripts --loglevel=error >&2)

say "compiling the binding"
mkdir -p "$package/deps/lib" "$package/lib/napi-v8"
mv "$tensorflow"/libtensorflow_{cc,framework}.so.2 "$package/deps/lib"
g++ -std=c++17 -O2 -fPIC -shared -s -DNAPI_VERSION=8 -DNODE_GYP_MODULE_NAME=tfjs_binding \
  -I"$package" -I"$tensorflow/include" -I"$work/node_modules/node-api-headers/include" "$package"/binding/*.cc \
  -L"$package/deps/lib" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,'$ORIGIN/../../deps/lib' \
  -o "$package/lib/napi-v8/tfjs_binding.node"

say "leaving out what is not needed"
strip --strip-unneeded "$package"/deps/lib/*.so.2
cp "$tensorflow/include/LICENSE" "$tensorflow/THIRD_PARTY_NOTICES.txt" "$package/deps/lib"
(cd "$work" && npm prune --omit=dev --ignore-scripts --loglevel=error >&2)
rm -rf "$work/node_modules/.package-lock.json" "$work/node_modules/.bin"
mv "$work/node_modules" "$package/node_modules"
(cd "$package" && rm -rf binding binding.gyp prep-gpu* scripts src tsconfig* dist/run_tests.* && find dist -name '*_test.*' -delete)
chmod -R u+w,a+rX,go-w "$package"

mkdir -p "$(dirname "$out")"
rm -rf "$out"
mv "$package" "$out"
say "made $out ($(du -sm "$out" | cut -f 1) MB, TensorFlow $tensorflow_version for $kind)"
