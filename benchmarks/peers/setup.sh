#!/usr/bin/env bash
# Set up the peers that mxcy is compared with, in virtual environments inside
# the checkout (".peers/", not tracked by git):
#
#   .peers/mxnet   Apache MXNet 1.9.1 (the real one; the reference for golden
#                  data and for CPU timings), numpy 1.23.5
#   .peers/torch   PyTorch 2.13.0 (CPU build where pip resolves one), JAX 0.10.2,
#                  numexpr, onnx and onnxruntime, current numpy
#
# Usage:
#   benchmarks/peers/setup.sh            # both
#   benchmarks/peers/setup.sh mxnet      # only one of them
#   PYTHON=python3.11 benchmarks/peers/setup.sh
#   PEERS_DIR=/elsewhere benchmarks/peers/setup.sh
#
# Then:
#   .peers/mxnet/bin/python tests/golden/make_golden.py
#   .peers/torch/bin/python benchmarks/...
#
# Notes
#  * MXNet 1.9.1 is a py3-none-manylinux2014_x86_64 wheel (47 MB, ctypes around
#    libmxnet.so): any CPython loads it, but its Python code uses np.bool, which
#    NumPy 1.24 removed; hence numpy==1.23.5, whose last wheels are for 3.11.
#  * It needs the system's libgomp.so.1 and libquadmath.so.0 (libgfortran and
#    OpenBLAS are in the wheel); a missing library is installed with apt-get.
#  * The script is idempotent: an environment that already imports is kept.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
peers="${PEERS_DIR:-$root/.peers}"
python="${PYTHON:-}"
if [ -z "$python" ]; then
  for p in python3.11 python3.10 python3; do
    if command -v "$p" >/dev/null 2>&1 && "$p" -c 'import venv' 2>/dev/null; then
      python="$p"; break
    fi
  done
fi
what=("${@:-}")
if [ -z "${what[0]}" ]; then what=(mxnet torch); fi

apt_install() {
  local sudo=""
  if [ "$(id -u)" != 0 ]; then sudo="sudo"; fi
  $sudo apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@"
}

make_venv() {  # make_venv DIR
  if [ ! -x "$1/bin/python" ]; then
    "$python" -m venv "$1" 2>/dev/null || "$python" -m venv --without-pip "$1"
  fi
  "$1/bin/python" -m pip --version >/dev/null 2>&1 || "$1/bin/python" -m ensurepip -q
}

setup_mxnet() {
  local env="$peers/mxnet" out lib tries
  make_venv "$env"
  if ! "$env/bin/python" -c 'import mxnet, numpy; assert mxnet.__version__=="1.9.1"' 2>/dev/null; then
    "$env/bin/python" -m pip install -q "mxnet==1.9.1" "numpy==1.23.5"
  fi
  for tries in 1 2 3 4; do
    if out="$("$env/bin/python" -c 'import mxnet' 2>&1)"; then break; fi
    # "OSError: libXXX.so.N: cannot open shared object file"
    lib="$(printf '%s\n' "$out" | sed -n 's/.*OSError: \(lib[^:]*\): cannot open.*/\1/p' | tail -1)"
    case "$lib" in
      libgomp.so*)     apt_install libgomp1 ;;
      libquadmath.so*) apt_install libquadmath0 ;;
      libgfortran.so*) apt_install libgfortran5 ;;
      libopenblas.so*) apt_install libopenblas0 ;;
      librt.so*|libstdc++.so*) apt_install libstdc++6 ;;
      *) printf '%s\n' "$out" >&2; echo "setup.sh: MXNet does not import" >&2; exit 1 ;;
    esac
  done
  "$env/bin/python" -c 'import mxnet, numpy; print("mxnet", mxnet.__version__, "numpy", numpy.__version__)'
}

setup_torch() {
  local env="$peers/torch"
  make_venv "$env"
  if ! "$env/bin/python" -c 'import torch; assert torch.__version__.startswith("2.13.0")' 2>/dev/null; then
    # A "+cpu" wheel (from PyTorch's CPU index, or a local --find-links) is
    # about 200 MB; the plain PyPI one pulls in the CUDA libraries (GBs).
    if ! "$env/bin/python" -m pip install -q "torch==2.13.0+cpu" numpy 2>/dev/null \
      && ! "$env/bin/python" -m pip install -q --index-url https://download.pytorch.org/whl/cpu "torch==2.13.0" 2>/dev/null; then
      "$env/bin/python" -m pip install -q "torch==2.13.0" numpy
    fi
  fi
  "$env/bin/python" -m pip install -q numpy "jax==0.10.2" "jaxlib==0.10.2" numexpr onnx onnxruntime
  "$env/bin/python" - <<'PY'
import torch, jax, jaxlib, numexpr, numpy, onnxruntime
print("torch", torch.__version__, "jax", jax.__version__, "jaxlib", jaxlib.__version__,
      "numexpr", numexpr.__version__, "onnxruntime", onnxruntime.__version__, "numpy", numpy.__version__)
PY
}

mkdir -p "$peers"
for w in "${what[@]}"; do
  case "$w" in
    mxnet) setup_mxnet ;;
    torch) setup_torch ;;
    *) echo "setup.sh: unknown peer '$w' (mxnet, torch)" >&2; exit 2 ;;
  esac
done
